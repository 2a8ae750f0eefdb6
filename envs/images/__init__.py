"""Pictures of the user's own, and pictures made of many."""
