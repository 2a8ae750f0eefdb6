"""From worlds to pairs: live streams, recordings, replays, and what is paired."""

import envs  # noqa: F401  registers the worlds, and sets how threads wait before torch is loaded
