"""The content-addressed store of artifacts, with downloads, locks, plug-ins and the layout of a sweep's folder.

It uses no other room.
"""
