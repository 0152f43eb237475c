"""Sweeps on a cluster: which trials a node gets at once, and what happens to the trials of a lost node."""
