"""Hold the sweeper, which Hydra finds by itself."""
