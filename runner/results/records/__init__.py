"""The records of a sweep: what one file or one row of a table holds, each defined once.

A field that is a column is annotated with the column's description. The tables' schemas (runner/results/schema.py) and
docs/columns.md follow from these classes.
"""
