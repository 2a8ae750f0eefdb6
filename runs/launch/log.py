"""What a run writes down while it learns: losses, scores, what its network does, and checkpoints; and when."""

from typing import Any, Protocol

from omegaconf import DictConfig
from torch import nn

from runs.evaluation.evaluation import BlockEncoder, Evaluation, pending_tasks
from runs.launch.divergence import check_finite
from runs.launch.progress import Progress
from runs.store.checkpoint import PARTS, save, weights_sha256
from runs.store.folder import RunFolder
from runs.store.metrics import Metrics
from runs.store.timing import RunningMean, Stopwatch, due
from streams.pairing.single_frames import Stream
from streams.process.signals import Stop
from streams.types import Pairs


class Learner(BlockEncoder, Protocol):
    """What learns in a run."""

    @property
    def network(self) -> nn.Module:
        """Blocks and heads."""


class Run:
    """The parts of a run, which are saved and resumed together, and where it is. A concrete one says what it shows."""

    def __init__(self, settings: DictConfig, stream: Stream, learner: Learner):
        self.settings, self.stream, self.learner, self.means = settings, stream, learner, RunningMean()
        self.frames = self.updates = 0  # world frames shown so far, updates of the weights
        self.previous = 0  # frames before the last update

    @property
    def finished(self) -> bool:
        """Whether it has seen all the frames that its settings ask for."""
        return self.frames >= self.settings.run.frames

    def advance(self, pairs: Pairs, losses: dict) -> None:
        """Counts an update that was made from these pairs."""
        self.means.add(losses)
        self.previous, self.frames, self.updates = self.frames, pairs.frames, self.updates + 1

    def monitor(self) -> dict[str, dict[str, float]]:
        """A row of each series about the network itself; waits for the device."""
        raise NotImplementedError

    def preview(self) -> Stream:
        """The same stream from its beginning, to look at: nothing is recorded, it never ends, both views are shown."""
        raise NotImplementedError

    def check_extension(self, planned: int) -> None:
        """Raises SettingError where the run cannot go on to another number of frames than was planned."""

    def state_dict(self) -> dict[str, Any]:
        """The state of every part, and where the run is."""
        parts = {name: getattr(self, name).state_dict() for name in PARTS}
        return parts | {"frames": self.frames, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next update is the one that followed the saved ones."""
        for name in PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.frames, self.updates = state["frames"], state["updates"]


class RunLog:
    """The numbers and checkpoints of one run. Nothing waits for the device except where a number is due."""

    def __init__(
        self,
        run: Run,
        evaluation: Evaluation | None,
        folder: RunFolder,
        metrics: Metrics,
        progress: Progress,
        stop: Stop,
    ):
        settings = run.settings
        self.run, self.evaluation, self.folder, self.metrics = run, evaluation, folder, metrics
        self.progress, self.stop, self.clock = progress, stop, Stopwatch()
        self.monitor_every = settings.eval.every if settings.watch.every is None else settings.watch.every
        self._began = self._speed_at = run.frames  # at the start, and at the last row of the series speed

    def begin(self) -> None:
        """Scores the network before it learns, the random encoder; of a resumed run, does what is still to be done."""
        for note in self.evaluation.notes if self.evaluation else ():
            self.progress.say(note)
        if self.run.frames == 0 and not self.metrics.begun:
            if self.evaluation:
                self.metrics.show_samples(self.evaluation.samples.shown)
                self.metrics.name_classes(self.evaluation.class_names)
                self.metrics.add_all(0, self.evaluation.baselines())
                self.score()
            if self.monitor_every:
                self.monitor()
            self.save()
        self.fine_tune()

    def train_due(self) -> bool:
        """Whether a row of the training metrics is due."""
        return self.run.finished or self._due(self.run.settings.run.log_every)

    def score_due(self) -> bool:
        """Whether an evaluation is due."""
        evaluation = self.evaluation
        return evaluation is not None and (self.run.finished or evaluation.due(self.run.previous, self.run.frames))

    def monitor_due(self) -> bool:
        """Whether the network itself is to be looked at."""
        return self.monitor_every > 0 and (self.run.finished or self._due(self.monitor_every))

    def save_due(self) -> bool:
        """Whether a checkpoint is due."""
        return self.run.finished or self._due(self.run.settings.run.save_every)

    def train(self) -> None:
        """Writes the mean losses since the last row, and the stream's statistics."""
        run = self.run
        with self.clock("learner"):
            check_finite(run, self.folder, self.metrics)
            means = run.means.take()
        self.metrics.add("train", run.frames, means)
        self.metrics.add_all(run.frames, run.stream.statistics())
        self.progress.advance(run.frames, means)

    def score(self) -> None:
        """Writes what the encoder scores on every task."""
        run = self.run
        assert self.evaluation is not None
        check_finite(run, self.folder, self.metrics)
        with self.clock("eval"):
            scores = self.evaluation.scores(run.learner, frames=run.frames)
            self.metrics.add_all(run.frames, scores)
            self.progress.score(scores, frames=run.frames)

    def monitor(self) -> None:
        """Writes what goes on inside the network."""
        check_finite(self.run, self.folder, self.metrics)
        with self.clock("eval"):
            self.metrics.add_all(self.run.frames, self.run.monitor())

    def fine_tune(self) -> None:
        """Fine-tunes where that is pending. It takes minutes, so a checkpoint is saved before."""
        run = self.run
        tasks = pending_tasks(run.settings, frames=run.frames, latest=self.metrics.latest)
        if self.evaluation and tasks and not self.stop:
            self._commit()
            with self.clock("eval"):
                scores = self.evaluation.fine_tuned(run.learner, tasks, stop=self.stop, tell=self.progress.note)
                self.metrics.add_all(run.frames, scores)

    def save(self) -> None:
        """Writes down all that has happened; metrics first, so that a checkpoint never knows of more than they do."""
        if self.run.frames > self._speed_at:
            self.metrics.add("speed", self.run.frames, self._speed())
            self._speed_at = self.run.frames
        self._commit()

    def _commit(self) -> None:
        run = self.run
        check_finite(run, self.folder, self.metrics)
        sha = weights_sha256(run.learner.network.state_dict())
        self.metrics.commit(frames=run.frames, updates=run.updates, weights_sha256=sha, device=run.settings.device)
        state = run.state_dict() | {"run_id": self.metrics.run_id}
        save(self.folder.checkpoints, state, frames=run.frames, keep=run.settings.run.keep)

    def _due(self, every: int) -> bool:
        return due(every, self.run.previous, self.run.frames)

    def _speed(self) -> dict[str, float]:
        """Frames a second of the loop, evaluation not counted, and each part's share of all the time."""
        seconds, world = self.clock.seconds, self.run.stream.frames.seconds
        spent = {"world": world, "stream": seconds["stream"] - world}
        spent |= {"learner": seconds["learner"], "eval": seconds.get("eval", 0.0)}
        total, frames = sum(spent.values()), self.run.frames - self._began
        return {"frames_per_s": frames / (total - spent["eval"])} | {part: took / total for part, took in spent.items()}
