"""Hold the search path plugin, which Hydra finds by itself."""
