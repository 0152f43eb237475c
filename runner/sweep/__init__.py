"""A sweep from its grid to its last trial: plan, validate, prepare and run rounds.

It may use all rooms below it, and only `cli` uses it.
"""
