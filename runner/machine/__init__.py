"""The CPU, the layout of its cores, and the provenance of a row. This room may use `config` and `store`."""
