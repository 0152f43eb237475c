"""What really changed between two collected sweeps A and B, and what is noise. Pure functions of their tables."""
