"""What becomes predict.py in an exported folder (see runner/export/script.py): nothing here may import the runner,
but for the lines that are replaced."""
