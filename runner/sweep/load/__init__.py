"""Measure a job under an open load: requests arrive at random times, whatever the service does."""
