"""Hydra finds the search path here."""
