"""What the CPU is, how its cores are laid out, and which machine made a row. It may use `config` and `store`."""
