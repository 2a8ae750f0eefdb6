"""Pictures, films and arrays of the user's own, as frames of episodes."""
