"""The names of the models' input tensors."""

#: Every model takes the first two, and some models take all three. Each is int64 [batch, length].
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
