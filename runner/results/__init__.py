"""From trial files to Parquet: the schema, the statistics, and what a sweep says about each job."""
