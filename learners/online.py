"""The main job: watch a world that never stops moving, learn from every frame, and score what was learned.

python -m learners.online env=moving_objects learner=dgl seed=0
python -m learners.online learner=bp loss=ntxent run.frames=8192   # a short run of another rule and loss
python -m learners.online run.resume=results/NAME                  # goes on exactly where it stopped
python -m learners.online -m learner=dgl,bp seed=0,1,2             # six runs; runs.compare sets them beside one another
"""

from runs.config.help import show_help

if __name__ == "__main__":
    show_help(__doc__)  # before what takes seconds to import

from collections.abc import Callable, Sequence

from torch import Tensor

from learners.run import SCHEMAS, Run, build, named_code, validate
from runs.launch.launch import launch
from runs.launch.log import RunLog
from runs.launch.program import Program
from streams.process.signals import Stop


def train_loop(
    run: Run, log: RunLog, stop: Stop, *, callbacks: Sequence[Callable[[Run, dict[str, Tensor]], None]] = ()
) -> None:
    """The one loop: from where the run is to where its settings end, or to where it is stopped.

    Each callback is called after every update, with the run and what its learner reports.
    """
    log.begin()
    while not run.finished and not stop:
        with log.clock("stream"):
            pairs = next(run.stream)
        with log.clock("learner"):
            losses = run.learner.update(pairs)
        run.advance(pairs, losses)
        stop.agree()
        for callback in callbacks:
            callback(run, losses)
        if log.train_due():
            log.train()
        if log.score_due():
            log.score()
        if log.monitor_due():
            log.monitor()
        log.fine_tune()
        if stop or log.save_due():
            log.save()
    log.save()  # a stop may come between the last line and the loop's condition


PROGRAM = Program(
    build=build,
    train=train_loop,
    validate=validate,
    named_code=named_code,
    schemas=SCHEMAS,
    description=__doc__,
)


def main() -> None:
    """The command line."""
    launch(PROGRAM)


if __name__ == "__main__":
    main()
