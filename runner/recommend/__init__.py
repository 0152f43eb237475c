"""Which variant to deploy under given limits, and how sure that is: pure functions of a sweep's tables."""
