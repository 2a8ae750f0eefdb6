"""Meshes of the user's own: files found, read, cleaned, brought to one size and kept."""
