"""Operations on tensors that several parts share."""
