"""The report of a running sweep, which is rewritten as trials come in."""
