"""Runs loaded, grouped and compared; their tables and figures."""
