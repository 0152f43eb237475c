"""Running a recorded sweep again on the recorded image and artifacts, and saying what came out differently."""
