"""Slots: several rounds are measured at once on one machine, each on a last-level cache of its own."""
