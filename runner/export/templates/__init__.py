"""The parts of predict.py, and the service, of an exported folder; see runner/export/script.py and service.py.

predict.py is common to all folders. One part reads the input (texts, pairs or words), one turns logits into output (for
each kind of task), and one loads the model (for each engine). service.py and worker.py are the same for all folders.
Nothing here may import Pinbox, except in the lines that are replaced.
"""
