"""Run sweeps on a cluster: choose the trials of each node, and recover the trials of a lost node."""
