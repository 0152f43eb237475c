"""The content-addressed store of artifacts, with downloads, locks, plugins and the layout of a sweep's folder.

This room uses no other.
"""
