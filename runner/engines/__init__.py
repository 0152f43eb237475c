"""One file for each inference runtime, with its load and run methods.

A trial imports only one of them, so they may use only `models` and `machine`.
"""
