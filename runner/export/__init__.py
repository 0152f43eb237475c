"""Handing over a measured variant: a folder that runs by itself, with what was measured of it."""
