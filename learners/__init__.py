"""Learning rules, their losses and networks, and the main job."""

import envs  # noqa: F401  registers the worlds, and sets how threads wait before torch is loaded
