"""What a run writes down while it learns: losses, scores, what its network does, and checkpoints; and when."""

from copy import deepcopy
from typing import Any, Protocol

from omegaconf import DictConfig
from torch import nn

from runs.evaluation.evaluation import FINETUNE, BlockEncoder, Evaluation, evaluation_due, pending_tasks, probes_due
from runs.launch.divergence import check_finite
from runs.launch.progress import Progress
from runs.store.checkpoint import PARTS, save, save_part, weights_sha256
from runs.store.folder import RunFolder
from runs.store.metrics import Metrics
from runs.store.timing import RunningMean, Stopwatch, due, mean_of
from streams.pairing.single_frames import Stream
from streams.process.ranks import Ranks
from streams.process.signals import Stop
from streams.types import Pairs


class Learner(BlockEncoder, Protocol):
    """What learns in a run."""

    @property
    def network(self) -> nn.Module:
        """Blocks and heads."""


class NoMetrics:
    """The numbers of a run that another rank writes down; `begun` says whether there are any."""

    def __init__(self, run_id: str, *, begun: bool):
        self.run_id, self.begun, self.notes = run_id, begun, ()
        self.latest: dict[str, int] = {}

    def add(self, *_: Any) -> None:
        """Does nothing, as all that follow."""

    add_all = show_samples = name_classes = add

    def commit(self, **_: Any) -> None:
        """Does nothing."""


class Run:
    """The parts of a run, which are saved and resumed together, and where it is. A concrete one says what it shows."""

    def __init__(self, settings: DictConfig, stream: Stream, learner: Learner, *, ranks: Ranks | None = None):
        self.settings, self.stream, self.learner, self.means = settings, stream, learner, RunningMean()
        self.ranks = ranks or Ranks()  # of which each has its own stream
        looked_at = settings.eval.every or settings.watch.every
        self.untrained = deepcopy(learner) if looked_at else None  # the random encoder, until it is scored
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

    def monitor(self, learner: Learner) -> dict[str, dict[str, float]]:
        """A row of each series about the network itself, of a learner like the run's own; waits for the device."""
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
        """The next update is the one that followed the saved ones.

        Where other ranks saved them, more or fewer, each of these has its part of all `streams`.
        """
        if "streams" in state:
            state = state | {"stream": self.stream.regrouped(state["streams"], self.ranks)}
        for name in PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.frames, self.updates = state["frames"], state["updates"]


class RunLog:
    """The numbers and checkpoints of one run. Nothing waits for the device except where a number is due.

    Of several ranks, all call its methods at the same updates; the first evaluates and writes.
    """

    def __init__(
        self,
        run: Run,
        evaluation: Evaluation | None,
        folder: RunFolder,
        metrics: Metrics | NoMetrics,
        progress: Progress,
        stop: Stop,
    ):
        settings = run.settings
        self.run, self.evaluation, self.folder, self.metrics = run, evaluation, folder, metrics
        self.progress, self.stop, self.clock = progress, stop, Stopwatch()
        self.monitor_every = settings.eval.every if settings.watch.every is None else settings.watch.every
        written = bool(metrics.latest.keys() - {"speed"})
        self._untrained_waits = run.untrained is not None and not run.ranks.any(written)
        self._began = self._speed_at = run.frames  # at the start, and at the last row of the series speed

    def begin(self) -> None:
        """Saves a run before it learns; of a resumed one, does what is still to be done."""
        if self.run.frames == 0 and not self.metrics.begun:
            self.save()
        if not self._untrained_waits:
            self._fine_tune_untrained()
            self.fine_tune()

    def train_due(self) -> bool:
        """Whether a row of the training metrics is due."""
        return self.run.finished or self._due(self.run.settings.run.log_every)

    def score_due(self) -> bool:
        """Whether an evaluation is due: of what has learned, or of the random encoder, once numbers are written."""
        return self._learned_due() or (self._untrained_waits and (self.train_due() or self.monitor_due()))

    def _learned_due(self) -> bool:
        run = self.run
        asked = bool(run.settings.eval.every)
        return asked and (run.finished or evaluation_due(run.settings, run.previous, run.frames))

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
            means = mean_of(run.ranks.gather(run.means.take()))
        self.metrics.add("train", run.frames, means)
        each = run.ranks.gather(run.stream.statistics())
        names = sorted({name for series in each for name in series})
        self.metrics.add_all(run.frames, {name: mean_of([series.get(name, {}) for series in each]) for name in names})
        self.progress.advance(run.frames, means)

    def score(self) -> None:
        """Writes what the encoder scores on every task; the first time also what is to be said of it before it learned.

        The random encoder is a copy, which waits until some frames have been learned from: so a run begins at once.
        """
        run = self.run
        check_finite(run, self.folder, self.metrics)
        if self._untrained_waits:
            self._untrained_waits = False
            assert run.untrained is not None
            if self.evaluation:
                with self.clock("eval"):
                    self._describe_tasks(self.evaluation)
                self._score(self.evaluation, run.untrained, frames=0)
            if self.monitor_every:
                self._monitor(run.untrained, frames=0)
            self.metrics.commit()  # for who watches, and for a run that is killed before its next checkpoint
            self._fine_tune_untrained()
        if self.evaluation and self._learned_due():  # else another rank has it
            self._score(self.evaluation, run.learner, frames=run.frames)

    def _describe_tasks(self, evaluation: Evaluation) -> None:
        """Says and writes what is known of the tasks without an encoder that learns."""
        for note in evaluation.notes:
            self.progress.say(note)
        self.metrics.show_samples(evaluation.samples.shown)
        self.metrics.name_classes(evaluation.class_names)
        self.metrics.add_all(0, evaluation.baselines())

    def _score(self, evaluation: Evaluation, encoder: BlockEncoder, *, frames: int) -> None:
        with self.clock("eval"):
            scores = evaluation.scores(encoder, frames=frames)
            self.metrics.add_all(frames, scores)
            self.progress.score(scores, learned=frames > 0)

    def monitor(self) -> None:
        """Writes what goes on inside the network."""
        check_finite(self.run, self.folder, self.metrics)
        self._monitor(self.run.learner, frames=self.run.frames)

    def _monitor(self, learner: Learner, *, frames: int) -> None:
        if self.run.ranks.first:
            with self.clock("eval"):
                self.metrics.add_all(frames, self.run.monitor(learner))

    def fine_tune(self) -> None:
        """Fine-tunes where that is pending. It takes minutes, so a checkpoint is saved before."""
        self._fine_tune(self.run.learner, frames=self.run.frames)

    def _fine_tune_untrained(self) -> None:
        if self.run.untrained is not None:
            self._fine_tune(self.run.untrained, frames=0)
            self.run.untrained = None

    def _fine_tune(self, encoder: BlockEncoder, *, frames: int) -> None:
        run = self.run
        if FINETUNE not in probes_due(run.settings, frames):
            return
        tasks = pending_tasks(run.settings, frames=frames, latest=self.metrics.latest)
        if not run.ranks.any(bool(self.evaluation and tasks)) or self.stop:
            return
        self._commit()
        if self.evaluation:
            with self.clock("eval"):
                scores = self.evaluation.fine_tuned(encoder, tasks, stop=self.stop, tell=self.progress.note)
                self.metrics.add_all(frames, scores)

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
        if run.ranks.size > 1:
            state |= {"ranks": run.ranks.size, "parts": self._parts(state)}
        if run.ranks.first:
            save(self.folder.checkpoints, state, frames=run.frames, keep=run.settings.run.keep)

    def _parts(self, state: dict[str, Any]) -> list[dict[str, str]]:
        """What the other ranks have saved beside the checkpoint, all of which is on the disk."""
        ranks, own = self.run.ranks, {name: state[name] for name in ("stream", "means")}
        part = None
        if not ranks.first:
            part = save_part(self.folder.checkpoints, own, frames=self.run.frames, rank=ranks.rank)
        return ranks.gather(part)[1:]

    def _due(self, every: int) -> bool:
        return due(every, self.run.previous, self.run.frames)

    def _speed(self) -> dict[str, float]:
        """Frames a second of the loop, evaluation not counted, and each part's share of all the time."""
        seconds, world = self.clock.seconds, self.run.stream.frames.seconds
        spent = {"world": world, "stream": seconds["stream"] - world}
        spent |= {"learner": seconds["learner"], "eval": seconds.get("eval", 0.0)}
        total, frames = sum(spent.values()), self.run.frames - self._began
        return {"frames_per_s": frames / (total - spent["eval"])} | {part: took / total for part, took in spent.items()}
