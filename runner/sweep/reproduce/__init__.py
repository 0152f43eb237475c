"""A recorded sweep is run again on the recorded image and artifacts, and compared with the record."""
