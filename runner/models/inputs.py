"""The names of the tensors that models are called with."""

#: Every model is called with the first two, and some models with all three. Each is int64 [batch, length].
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
