"""What stands around a run, from its settings to its last table."""
