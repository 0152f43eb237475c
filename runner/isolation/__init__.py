"""Boxes: the isolated places that trials and steps run in. It may use `machine`, `config` and `store`."""
