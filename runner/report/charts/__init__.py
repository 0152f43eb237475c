"""The charts of a report: each function turns rows into one chart."""
