"""A commented example of a user's own conf/ and code, to start from."""
