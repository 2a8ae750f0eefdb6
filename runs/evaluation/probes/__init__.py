"""What can be read off frozen features: one file a probe."""
