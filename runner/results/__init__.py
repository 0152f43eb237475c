"""From trial files to Parquet tables: schema, statistics, and what a sweep says about each job.

It may use `models` and the rooms below it.
"""
