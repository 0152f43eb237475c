"""Measure several rounds at once on one machine, each in a slot with its own last-level cache."""
