"""Where a task's texts and labels come from, and how files are read. It may use `config` and `store`."""
