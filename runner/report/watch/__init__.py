"""A sweep while it runs: its report is written anew as trials come in."""
