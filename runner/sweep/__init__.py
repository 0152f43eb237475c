"""Run a sweep from its grid to its last trial: plan, validate and prepare its jobs, and run its rounds.

This room may use all rooms below it, and only `cli` uses it.
"""
