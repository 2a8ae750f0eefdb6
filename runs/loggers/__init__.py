"""A run's numbers, settings, pictures and scores, told to other programs too, one file each."""
