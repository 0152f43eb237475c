"""The control: do a model's predictions agree with those that transformers itself makes from the untouched files?"""
