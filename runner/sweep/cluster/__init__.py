"""Sweeps on a cluster: which trials a node gets at once, what it does with them, and what became of those it lost."""
