"""A sweep as one folder to hand to somebody else: tables, manifest and report, without private paths."""
