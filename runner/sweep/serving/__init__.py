"""The search for a configuration that serves the most requests a second: variant, workers, threads and batching."""
