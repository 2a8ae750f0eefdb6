"""A world, a loss, a rule, a network and a probe of one's own, each run by the tests."""
