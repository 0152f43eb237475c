"""From Parquet tables to something a person reads: HTML, Markdown, and a table on the terminal."""
