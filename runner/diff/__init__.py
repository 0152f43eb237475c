"""What really changed between two collected sweeps, and what is noise.

Pure functions of their tables, which may use `report` for pages and `results`.
"""
