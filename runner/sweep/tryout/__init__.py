"""Make a first sweep of a user's own model: derive its YAML from the model's files and a file of texts."""
