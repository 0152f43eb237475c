"""Run trials and steps in boxes, which are isolated places. This room may use `machine`, `config` and `store`."""
