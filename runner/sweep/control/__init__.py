"""Check that a model's predictions agree with those that transformers makes from the original files."""
