"""What becomes predict.py in an exported folder (see runner/export/script.py): nothing here may import the runner,
but for the lines that are replaced. predict.py is common to all; what a call is given (texts, pairs, words), what comes
of its logits (a kind of task each) and how the model is loaded (an engine each) is put into it."""
