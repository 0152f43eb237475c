"""Measure or evaluate one artifact inside a box.

This room imports the standard library, numpy and one engine. It may use `engines`, `models`, `tasks`, `machine`, and
the record of what a box measures, which is in `results`.
"""
