"""Search the catalogue of techniques for the best variants of one model within a time budget."""
