"""The parts of predict.py in an exported folder; see runner/export/script.py.

predict.py is common to all folders. One part reads the input (texts, pairs or words), one turns logits into output (for
each kind of task), and one loads the model (for each engine). Nothing here may import Pinbox, except in the lines that
are replaced.
"""
