"""Measure a job under an open load: requests arrive at random times that do not depend on the service."""
