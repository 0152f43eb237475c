"""Boxes: the isolated places in which trials and steps run. This room may use `machine`, `config` and `store`."""
