"""A search of the catalogue for the best variants of one model within a time budget."""
