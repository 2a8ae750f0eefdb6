"""A run's settings, scores and records, and the commands that show them."""

import envs  # noqa: F401  registers the worlds, and sets how threads wait before torch is loaded
