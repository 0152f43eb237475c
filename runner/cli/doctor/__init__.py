"""Report what can and cannot be measured on this machine, with advice if a person can improve something."""
