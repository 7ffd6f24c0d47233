"""What the resolver is made of: the choices and the questions asked of them, overrides, order, temperature, checks."""
