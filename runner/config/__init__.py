"""The schema of conf/, the composing of jobs, and plain messages for errors in them. This room may use `store`."""
