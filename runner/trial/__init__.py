"""What runs inside a box: it measures one artifact, or evaluates it.

It imports the standard library, numpy and one engine, and may use `engines`, `models`, `tasks` and `machine`.
"""
