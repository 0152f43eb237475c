"""Steps that turn a model's own files into its first checkpoint, and checks of those files."""
