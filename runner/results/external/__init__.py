"""Figures that other tools measured. A report shows them beside a sweep's own figures, and never mixes the two."""
