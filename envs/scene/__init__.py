"""What is in a world and how it moves: objects, motion, light, drift."""
