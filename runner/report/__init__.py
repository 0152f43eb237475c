"""From Parquet tables to something that a person reads: HTML, Markdown, terminal and charts.

It may use `recommend`, `results` and the rooms below them.
"""
