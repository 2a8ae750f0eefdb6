"""Tasks, probes and their scores."""
