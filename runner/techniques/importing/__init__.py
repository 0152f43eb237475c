"""Steps that turn a model's own files into its first checkpoint, and the checks of those files."""
