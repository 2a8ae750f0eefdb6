"""A probe and a section of one's own need no other file than their own."""

import json
import sys

import pytest
import torch
from jinja2 import ChoiceLoader, DictLoader
from rich.console import Console

from learners.run import learner_of
from runs import compare, report, show
from runs.analysis.reading import load_numbers
from runs.analysis.summary import summary_table
from runs.config.composing import read
from runs.evaluation.evaluation import Evaluation
from runs.evaluation.probes.linear import top1
from runs.evaluation.probes.registry import PROBES, probe
from runs.launch.validate import check
from runs.page import page
from runs.page.section import SECTIONS, Section
from runs.scores import LABELS, ScoreKey
from runs.store.metrics import Metrics
from tests.helpers.runs import fake_run

SMALL = [
    "env=counting",
    "env.size=16",
    "network=conv4",
    "eval.train=60",
    "eval.validation=40",
    "eval.test=50",
    "device=cpu",
]


@pytest.fixture
def centroid(monkeypatch):
    """A probe by the nearest mean of a class, registered while a test runs."""
    monkeypatch.setitem(PROBES, "centroid", None)
    monkeypatch.setitem(LABELS, "centroid", "")

    @probe("centroid", label="nearest centroid", every_block=True)
    def centroid_probe(features, labels, *, classes):
        means = torch.stack([features.train[labels.train == label].mean(0) for label in range(classes)])
        return {"top1": top1(-torch.cdist(features.test, means), labels.test)}


def called(monkeypatch, capsys, command, *arguments):
    monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
    command.main()
    return capsys.readouterr().out


def test_a_probe_that_registers_itself_is_made_shown_compared_and_drawn(tmp_path, centroid, monkeypatch, capsys):
    settings = read([*SMALL, "eval.probes=[linear,centroid]", "eval.ends=[blocks]"])
    check(settings)
    scores = Evaluation(settings, torch.device("cpu")).scores(learner_of(settings), frames=0)
    own = {key.path: score for key, score in scores.items() if isinstance(key, ScoreKey) and key.kind == "centroid"}
    assert list(own) == ["eval/centroid", *(f"eval/blocks/centroid/block{n}" for n in (1, 2, 3, 4))]
    assert 0 < own["eval/centroid"]["top1"] <= 1

    path = fake_run(tmp_path)
    metrics = Metrics.open(path / "metrics.zarr", cut_to=128)
    for frames, top in ((0, 0.25), (128, 0.875)):
        metrics.add_all(frames, {path: {"top1": top} for path in own})
    metrics.commit()
    Console(width=100).print(summary_table(load_numbers(path)))
    assert "nearest centroid 87.5 +62.5 25.0" in " ".join(capsys.readouterr().out.split())
    shown = json.loads(called(monkeypatch, capsys, show, path, "--json"))
    assert shown["eval"]["centroid"] == {"frames": [0, 128], "top1": [0.25, 0.875]}
    assert shown["baseline"]["random_encoder"]["centroid"] == 0.25
    assert "87.5" in called(monkeypatch, capsys, compare, path, "--task", "centroid")
    called(monkeypatch, capsys, report, path)
    text = (path / "report.html").read_text()
    assert "<h3>Nearest centroid" in text
    assert "nearest centroid, block 4" in text


def test_a_section_that_registers_itself_is_part_of_every_report(tmp_path, monkeypatch, capsys):
    own = Section(lambda run: {"seed": run.seed} if run.seed else None, 45, "own.html", each_run=True)
    monkeypatch.setattr("runs.page.section.SECTIONS", [*SECTIONS, own])
    template = {"own.html": "<h2>Of one's own: seed {{ section.seed }}</h2>"}
    loaders = [page.TEMPLATES.loader, DictLoader(template)]
    monkeypatch.setattr(page.TEMPLATES, "loader", ChoiceLoader(loaders))
    for seed in (0, 7):
        called(monkeypatch, capsys, report, fake_run(tmp_path, seed=seed))
    zero, seven = ((tmp_path / f"bp-seed{seed}" / "report.html").read_text() for seed in (0, 7))
    assert "Of one's own" not in zero
    assert zero.count("<h2>") == seven.count("<h2>") - 1
    assert seven.index("Every score") < seven.index("Of one's own: seed 7") < seven.index("To repeat it")
