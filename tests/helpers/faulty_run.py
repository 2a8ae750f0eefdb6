"""The main job with a fault on rank 1: python -m tests.helpers.faulty_run FAULT OVERRIDES...

FAULT is `killed`, at its sixth update, unless torchrun has started it again; or `full`, as its disk is at its second
checkpoint.
"""

import errno
import os
import signal
import sys

from learners.online import PROGRAM
from learners.rules.base import Learner
from runs.launch import launch, log
from runs.launch import start as starting

WHOLE, SAVED = Learner.update, log.save_part


def killed(self, pairs):
    if self.updates == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return WHOLE(self, pairs)


def full(folder, *arguments, frames, **named):
    if frames > 30:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    return SAVED(folder, *arguments, frames=frames, **named)


def main() -> None:
    """As a rank."""
    fault, sys.argv[1:] = sys.argv[1], sys.argv[2:]
    starting.pictures = lambda *_: ()
    if os.environ["RANK"] == "1":
        if fault == "killed" and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
            Learner.update = killed
        if fault == "full":
            log.save_part = full
    launch.launch(PROGRAM)


if __name__ == "__main__":
    main()
