"""One thread a worker: pytest-xdist already runs a worker a core, and threads that wait for each other are slow."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
