"""A first sweep of somebody's own model: its YAML follows from the model's files and a file of texts."""
