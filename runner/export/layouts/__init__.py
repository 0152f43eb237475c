"""Folders as servers and libraries load them, one file for each layout."""
