"""The charts of a report as image files, for slides and papers."""
