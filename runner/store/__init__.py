"""Store artifacts by their content, download packages, lock files, find plugins, and define a sweep's folder.

This room uses no other room.
"""
