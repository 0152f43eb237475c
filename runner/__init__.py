"""Pinbox: measure compressed variants of a transformer, each in the same pinned box."""
