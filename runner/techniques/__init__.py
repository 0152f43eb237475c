"""The steps that transform artifacts, in one folder for each kind.

A step runs in a box and may use `engines`, `models`, `tasks` and `store`.
"""
