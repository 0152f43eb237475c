"""Which variant to deploy under given limits, and how sure that is.

Pure functions of a sweep's tables, which may use `results` and the rooms below it.
"""
