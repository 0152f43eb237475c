"""How collect, report, diff and recommend grow with the size of a sweep: python -m tests.scale."""
