"""Hold the Slurm launcher, which Hydra finds by itself."""
