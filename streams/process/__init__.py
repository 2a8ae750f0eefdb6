"""What surrounds a command: errors, signals, progress, versions."""
