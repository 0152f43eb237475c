"""What runs inside a box: it measures one artifact, or evaluates it.

It imports the standard library, numpy and one engine. It may use `engines`, `models`, `tasks`, `machine`, and the
record of what a box measures, which is in `results`.
"""
