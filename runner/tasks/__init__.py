"""Get a task's texts and labels, and read files of them. This room may use `config` and `store`."""
