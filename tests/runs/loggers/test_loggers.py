"""All loggers are told of a run, and none of them stops it."""

import json
from pathlib import Path

import numpy as np
import pytest

from envs.errors import SettingError
from learners.online import PROGRAM
from runs.config import composing
from runs.launch.start import start
from runs.launch.validate import check
from runs.loggers import registry
from runs.loggers.registry import LOGGERS
from runs.store.metrics import read
from tests.helpers.online import assert_same_run, outcome, run, stopping
from tests.helpers.wandb_files import records

SHORT = ["run.frames=96", "eval.every=48", "eval.transfer=[]", "eval.ends=[]", "eval.samples=0", "watch.every=0"]
ALL = "run.loggers=[tensorboard,wandb,mlflow]"

pytestmark = pytest.mark.filterwarnings("ignore")  # of the loggers' own dependencies


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for entry in LOGGERS.values():
        for package in entry.packages:
            pytest.importorskip(package)


@pytest.fixture
def logged(tmp_path, offline, monkeypatch):
    """The folder of a run that was stopped and resumed, of which all loggers are told, and nobody hears a complaint."""
    with monkeypatch.context() as patch:
        stopping(patch, 5)
        assert run(tmp_path, "one", *SHORT, ALL) == 130
    assert start([f"run.resume={tmp_path}/one"], PROGRAM) == 0
    return tmp_path / "one"


def committed(folder):
    """The numbers that a run itself keeps: {series/name: {frames: value}}."""
    _, series = read(folder / "metrics.zarr")
    return {
        f"{group}/{name}": {
            int(frames): value for frames, value in zip(of["frames"], values, strict=True) if not np.isnan(value)
        }
        for group, of in series.items()
        for name, values in of.items()
        if name != "frames"
    }


def test_each_logger_has_what_the_run_has_settings_numbers_pictures_and_scores(logged, capsys):
    assert "run.loggers" not in capsys.readouterr().err
    numbers = {name: of for name, of in committed(logged).items() if of}
    for reader in (tensorboard_of, wandb_of, mlflow_of):
        settings, series, pictures, scores = reader(logged)
        assert settings["learner.name"] == "dgl", reader
        assert series == numbers, reader
        assert pictures == {"film_strip", "learning_curve"}, reader
        assert "linear" in scores, reader


def tensorboard_of(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    texts = {
        name.partition("/")[0]: events.Tensors(name)[-1].tensor_proto.string_val[0].decode() for name in tags["tensors"]
    }
    settings = dict(line[2:-2].split(" | ", 1) for line in texts["settings"].splitlines())
    series = {name: {event.step: event.value for event in events.Scalars(name)} for name in tags["scalars"]}
    return settings, Close(series), set(tags["images"]), texts["scores"]


def wandb_of(folder):
    files = sorted((folder / "wandb").glob("offline-run-*/*.wandb"))
    settings, series, pictures, scores = {}, {}, set(), ""
    for record in [record for file in files for record in records(file)]:
        settings |= {item.key: json.loads(item.value_json) for item in record.config.update}
        row = {tuple(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        pictures |= {name for (name, *rest), value in row.items() if (rest, value) == (["_type"], "image-file")}
        if ("scores", "path") in row:
            scores = next(folder.glob(f"wandb/*/files/{row['scores', 'path']}")).read_text()
        for (name, *rest), value in row.items():
            if "/" in name and not rest:
                series.setdefault(name, {})[row[("frames",)]] = value
    return settings, series, pictures, scores


def mlflow_of(folder):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder.parent}/mlflow.db")
    (found,) = client.search_runs([client.get_experiment_by_name("contiguity").experiment_id])
    assert found.info.status == "FINISHED"
    series = {
        name: {metric.step: metric.value for metric in client.get_metric_history(found.info.run_id, name)}
        for name in found.data.metrics
    }
    artifacts = {Path(file.path) for file in client.list_artifacts(found.info.run_id)}
    scores = next(folder.parent.glob(f"mlflow_artifacts/{found.info.run_id}/artifacts/scores.json")).read_text()
    return found.data.params, series, {path.stem for path in artifacts if path.suffix == ".png"}, scores


class Close(dict):
    """Numbers that were kept with 32 bits."""

    def __eq__(self, other):
        return self.keys() == other.keys() and all(pytest.approx(self[name]) == other[name] for name in self)

    __hash__ = None


@pytest.mark.parametrize("method", ["__init__", "log_settings", "log_rows", "log_picture", "log_scores", "close"])
def test_a_logger_that_fails_is_one_line_and_the_run_ends_with_the_same_numbers(tmp_path, monkeypatch, capsys, method):
    class Failing:
        def __init__(self, run):
            self.log_settings = self.log_rows = self.log_picture = self.log_scores = self.close = lambda *_, **__: None
            if method == "__init__":
                raise SystemExit("no key")
            setattr(self, method, self.fail)

        def fail(self, *_, **__):
            raise OSError("no network")

    monkeypatch.setattr("runs.loggers.tensorboard.TensorBoardLogger", Failing)
    tiny = [*SHORT, "eval.every=0", "run.frames=48"]
    assert run(tmp_path, "one", *tiny, "run.loggers=[tensorboard]") == 0
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "run.loggers: tensorboard fails (" in err
    if method == "log_rows":  # in the middle of the loop
        assert run(tmp_path, "none", *tiny) == 0
        assert_same_run(outcome(tmp_path, "one"), outcome(tmp_path, "none"))


@pytest.mark.parametrize(("name", "extra"), [(name, entry.extra) for name, entry in LOGGERS.items()])
def test_a_logger_that_is_not_installed_is_one_line_that_names_its_extra_before_any_work(monkeypatch, name, extra):
    settings = ["env=counting", "pairs.gap=2"]
    monkeypatch.setattr(registry, "find_spec", lambda package: None)
    with pytest.raises(SettingError, match=rf"pip install 'contiguity\[{extra}\]'"):
        check(composing.read([*settings, f"run.loggers=[{name}]"]))
    check(composing.read(settings))


def test_a_logger_that_there_is_not_is_told_with_the_nearest():
    with pytest.raises(SettingError, match=r"run.loggers=wandbb is unknown; did you mean wandb\?"):
        check(composing.read(["env=counting", "pairs.gap=2", "run.loggers=[wandbb]"]))
