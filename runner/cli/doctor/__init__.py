"""What this machine can and cannot tell, with one line of advice where there is something to do."""
