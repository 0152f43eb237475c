"""Where a model's files come from, and what Pinbox knows about architectures. It may use `config` and `store`."""
