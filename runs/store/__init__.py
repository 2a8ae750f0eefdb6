"""A run's folder: settings, checkpoints, metrics and the preview."""
