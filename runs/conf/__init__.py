"""Named choices of settings: a folder a group, a YAML file a choice."""
