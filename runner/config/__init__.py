"""The schema of conf/, how jobs are composed from it, and its errors in plain words. It may use `store`."""
