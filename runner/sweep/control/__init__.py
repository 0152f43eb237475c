"""The control: are a model's predictions those that transformers itself makes of the untouched files?

`reference` predicts some test texts with transformers alone, inside a box; `compare` holds a job's logits against that.
Whatever goes wrong between a model's files and its logits (tokenizer, labels, inputs, weights, engine) shows as a
difference, whoever made the mistake.
"""
