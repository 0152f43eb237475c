"""Search the catalogue for the best variants of one model within a time budget: `make search`."""
