"""The main job: watch a world that never stops moving, learn from every frame, and score what was learned.

python -m learners.online env=moving_objects learner=dgl seed=0
python -m learners.online run.resume=results/NAME
"""

from learners.diagnostics.monitor import watch
from learners.run import Run, build, probe
from runs.evaluation.evaluation import Evaluation, pending_tasks
from runs.launch.divergence import check_finite
from runs.launch.launch import Stop, command
from runs.launch.progress import Progress
from runs.store.checkpoint import save, weights_sha256
from runs.store.folder import RunFolder
from runs.store.metrics import Metrics
from runs.store.timing import Stopwatch, due


def train(
    run: Run, evaluation: Evaluation | None, folder: RunFolder, metrics: Metrics, progress: Progress, stop: Stop
) -> None:
    """The one loop: from where the run is to where its settings end, or to where it is stopped."""
    settings, clock = run.settings, Stopwatch()
    began = run.frames
    watch_every = settings.eval.every if settings.watch.every is None else settings.watch.every
    watched = probe(settings, run.learner.encode) if watch_every else None
    for note in evaluation.notes if evaluation else ():
        progress.say(note)

    def score() -> None:
        check_finite(run, folder, metrics)
        with clock("eval"):
            found = evaluation.scores(run.learner, frames=run.frames)
            metrics.add_all(run.frames, found)
            progress.score(found, frames=run.frames)

    def look() -> None:
        check_finite(run, folder, metrics)
        with clock("eval"):
            metrics.add_all(run.frames, watch(run.learner, watched))

    def tune() -> None:  # takes long, hence after a checkpoint: a run that is stopped meanwhile goes on from here
        tasks = pending_tasks(settings, frames=run.frames, latest=metrics.latest)
        if tasks and not stop:
            keep(run, folder, metrics)
            with clock("eval"):
                metrics.add_all(run.frames, evaluation.fine_tuned(run.learner, tasks, stop=stop, tell=progress.note))

    if run.frames == 0 and not metrics.begun:  # what the network is before it learns: the random encoder
        if evaluation:
            metrics.show_samples(evaluation.samples.shown)
            metrics.add_all(0, evaluation.baselines())
            score()
        if watched:
            look()
        keep(run, folder, metrics)
    tune()

    while run.frames < settings.run.frames and not stop:
        before = run.frames
        with clock("stream"):
            pairs = next(run.stream)
        with clock("learner"):
            run.means.add(run.learner.update(pairs))
            run.frames, run.updates = pairs.frames, run.updates + 1
            last = run.frames >= settings.run.frames
            if last or due(settings.run.log_every, before, run.frames):
                check_finite(run, folder, metrics)
                means = run.means.take()
                metrics.add("train", run.frames, means)
                metrics.add_all(run.frames, run.stream.statistics())
                progress.advance(run.frames, means)
        if evaluation and (last or evaluation.due(before, run.frames)):
            score()
        if watched and (last or due(watch_every, before, run.frames)):
            look()
        tune()
        if last or stop or due(settings.run.save_every, before, run.frames):
            metrics.add("speed", run.frames, speed(run.frames - began, clock, world=run.stream.frames.seconds))
            keep(run, folder, metrics)
    keep(run, folder, metrics)  # a stop may come between the last line and the loop's condition


def keep(run: Run, folder: RunFolder, metrics: Metrics) -> None:
    """Writes down all that has happened; metrics first, so that a checkpoint never knows of more than they do."""
    check_finite(run, folder, metrics)
    sha = weights_sha256(run.learner.network.state_dict())
    metrics.commit(frames=run.frames, updates=run.updates, weights_sha256=sha, device=run.settings.device)
    save(folder.checkpoints, run.state_dict(), frames=run.frames, keep=run.settings.run.keep)


def speed(frames: int, clock: Stopwatch, *, world: float) -> dict[str, float]:
    """Frames a second of the loop, evaluation not counted, and each part's share of all the time."""
    spent = {"world": world, "stream": clock.seconds["stream"] - world}
    spent |= {"learner": clock.seconds["learner"], "eval": clock.seconds.get("eval", 0.0)}
    total = sum(spent.values())
    return {"frames_per_s": frames / (total - spent["eval"])} | {part: took / total for part, took in spent.items()}


main = command(build, train)

if __name__ == "__main__":
    main()
