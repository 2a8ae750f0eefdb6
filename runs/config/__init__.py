"""From a command line to settings."""
