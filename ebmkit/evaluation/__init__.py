"""What a trained model is worth, and pictures of it."""
