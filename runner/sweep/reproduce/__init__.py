"""Run a recorded sweep again with the recorded image and artifacts, and compare the results."""
