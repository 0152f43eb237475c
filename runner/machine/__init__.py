"""What the machine can do (its measured peaks) and what a model asks of it (its FLOPs)."""
