"""What a rule uses, costs and does inside the network."""
