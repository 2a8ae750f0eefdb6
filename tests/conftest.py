"""One thread a worker: pytest-xdist already runs a worker a core, and threads that wait for each other are slow.

The commit is asked for once, so that recordings compare even if somebody edits files while the tests run.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from streams.versions import versions

versions()
