"""Recordings as sources of frames, in any order."""
