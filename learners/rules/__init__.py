"""Learning rules: how the weights of a network change."""
