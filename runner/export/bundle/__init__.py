"""A sweep as one folder to hand to somebody else: tables, manifest and report, no private paths, hashes of all."""
