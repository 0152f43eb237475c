"""Get a model's files, check them, and describe its architecture. This room may use `config` and `store`."""
