"""The recipes of CONTRIBUTING.md: each is followed in a copy of the repository, which then runs what was added."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from runs.store.folder import RunFolder
from tests.helpers.runs import fake_run

ROOT = Path(__file__).parents[1]
COPIED = ("envs", "streams", "runs", "learners", "examples", "pyproject.toml")
SMALL = ("env=counting", "env.size=16", "env.num_worlds=8", "env.episode_length=8", "pairs.gap=2")
SHORT = ("run.frames=48", "device=cpu", "run.name=one")
SCHEMA = "defaults:\n  - {}_schema\n  - _self_\n"


@dataclass
class Copy:
    """A copy of the repository, and what was changed in it."""

    root: Path
    changed: set[str]  # files that are neither YAML nor tests

    def write(self, path: str, text: str) -> None:
        """Adds a file."""
        assert not (self.root / path).exists(), path
        self._put(path, text)

    def insert(self, path: str, *lines: str, after: str) -> None:
        """Adds lines behind the one that begins with `after`."""
        text = (self.root / path).read_text()
        start = text.index(f"\n{after}") + 1
        end = text.index("\n", start) + 1
        self._put(path, text[:end] + "".join(f"{line}\n" for line in lines) + text[end:])

    def run(self, module: str, *args: str) -> str:
        """The output of a module of the copy, which must succeed."""
        result = subprocess.run(
            [sys.executable, "-m", module, *args],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def learn(self, *overrides: str) -> Path:
        """The folder of a short run of the copy."""
        self.run("learners.online", *SHORT, f"results_dir={self.root}/results", *overrides)
        return self.root / "results" / "one"

    def _put(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)
        if not path.endswith(".yaml"):
            self.changed.add(path)


@pytest.fixture
def copy(tmp_path):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *COPIED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    return Copy(tmp_path, set())


def test_a_loss_takes_two_files(copy):
    copy.write(
        "learners/losses/cosine.py",
        """
from dataclasses import dataclass

from torch.nn.functional import cosine_similarity

from learners.losses.base import LossSettings


@dataclass
class CosineSettings(LossSettings):
    name: str = "cosine"
    kind: str = "cosine"
    scale: float = 1.0


def cosine(u, v, *, episode, scale):
    return scale * (1 - cosine_similarity(u, v).mean())
""",
    )
    copy.insert(
        "learners/losses/build.py",
        "from learners.losses.cosine import CosineSettings, cosine",
        after="from learners.losses.clapp import",
    )
    copy.insert(
        "learners/losses/build.py",
        '    "cosine": LossKind(CosineSettings, cosine),',
        after="LOSSES: dict[str, LossKind]",
    )
    copy.write("runs/conf/loss/cosine.yaml", SCHEMA.format("cosine"))
    assert len(copy.changed) == 2
    copy.learn(*SMALL, "eval.every=0", "loss=cosine", "loss.scale=2")


def test_a_rule_takes_two_files(copy):
    copy.write(
        "learners/rules/clipped.py",
        """
from dataclasses import dataclass

from torch.nn.utils import clip_grad_norm_

from learners.losses import Report
from learners.rules.base import LearnerSettings
from learners.rules.end_to_end import EndToEnd
from streams.types import Pairs


@dataclass
class ClippedSettings(LearnerSettings):
    most: float = 1.0


class Clipped(EndToEnd):
    settings_type = ClippedSettings

    def learn(self, pairs: Pairs) -> Report:
        report = super().learn(pairs)
        clip_grad_norm_(self.network.parameters(), self.settings.most)
        return report
""",
    )
    copy.insert(
        "learners/build.py",
        "from learners.rules.clipped import Clipped",
        after="from learners.rules.base import",
    )
    copy.insert("learners/build.py", '    "clipped": Clipped,', after="RULES: dict[str, type[Learner]]")
    copy.write(
        "runs/conf/learner/clipped.yaml",
        SCHEMA.format("clipped") + "name: clipped\nschedule: clipped\n",
    )
    assert len(copy.changed) == 2
    copy.learn(*SMALL, "eval.every=0", "learner=clipped", "learner.most=0.5")


def test_a_network_takes_one_file_or_two_with_a_layer_of_its_own(copy):
    network = "learners/networks/network.py"
    copy.insert(network, '    "conv2": Spec(((32, "pool", "tanh"), (64, "pool", "tanh")), True),', after="SPECS: dict")
    assert len(copy.changed) == 1
    copy.write(
        "learners/networks/norm.py",
        "from torch import nn\n\n\ndef norm(channels: int) -> nn.Module:\n    return nn.GroupNorm(8, channels)\n",
    )
    copy.insert(network, "from learners.networks.norm import norm", after="from learners.networks.feedback import Conv")
    copy.insert(network, '    "normed": Spec(((32, norm, "relu", "pool"),), True),', after="SPECS: dict")
    copy.write("runs/conf/network/normed.yaml", SCHEMA.format("network") + "name: normed\n")
    assert len(copy.changed) == 2
    copy.learn(*SMALL, "eval.every=0", "network=normed")


def test_a_probe_takes_one_file_and_its_score_is_shown(copy):
    copy.write(
        "runs/evaluation/probes/nearest_mean.py",
        """
import torch

from runs.evaluation.features import Split
from runs.evaluation.probes.registry import probe


@probe("nearest_mean", label="nearest class mean")
def nearest_mean_probe(features: Split, labels: Split, *, classes: int) -> dict[str, float]:
    means = torch.stack([features.train[labels.train == label].mean(0) for label in range(classes)])
    predictions = torch.cdist(features.test, means).argmin(1)
    return {"top1": float((predictions == labels.test).float().mean())}
""",
    )
    assert len(copy.changed) == 1
    images = ("eval.train=60", "eval.validation=40", "eval.test=40", "eval.samples=0", "eval.transfer=[]")
    run = copy.learn(*SMALL, *images, "eval.every=48", "eval.probes=[linear,nearest_mean]", "eval.ends=[]")
    assert '"nearest_mean"' in copy.run("runs.show", str(run), "--json")


def test_a_section_takes_two_files_and_the_report_has_it(copy):
    copy.write(
        "runs/page/sections/places.py",
        """
from typing import Any

from runs.analysis.reading import LoadedRun
from runs.page.section import section


@section(95, each_run=True)
def place(run: LoadedRun) -> dict[str, Any]:
    return {"path": run.path}
""",
    )
    copy.write(
        "runs/page/templates/place.html",
        "<section><h2>Where it lies</h2><p>{{ section.path }}</p></section>\n",
    )
    assert len(copy.changed) == 2
    run = fake_run(copy.root / "results")
    copy.run("runs.report", str(run), f"--out={copy.root}/page.html")
    page = (copy.root / "page.html").read_text()
    assert "<h2>Where it lies</h2>" in page
    assert str(run) in page


def test_a_setting_takes_one_file_and_the_command_line_has_it(copy):
    copy.insert(
        "runs/launch/settings.py", '    note: str = ""  # kept with the run', after="    resume: str | None = None"
    )
    assert len(copy.changed) == 1
    run = copy.learn(*SMALL, "eval.every=0", "run.note=hello")
    assert RunFolder(run).settings.run.note == "hello"


def test_a_world_takes_two_files(copy):
    copy.write(
        "envs/stripes.py",
        """
from dataclasses import dataclass

import numpy as np
import torch

from envs.base import SingleWorld, VectorWorld


@dataclass
class StripesSettings:
    name: str = "stripes"
    id: str = "Stripes-v0"
    num_worlds: int = 8
    size: int = 16
    episode_length: int = 8
    stagger: bool = True
    split: str = "train"


class StripesVector(VectorWorld):
    settings_class = StripesSettings
    categories = 2

    def __init__(self, num_envs: int = 1, **settings):
        super().__init__(num_envs, **settings)
        self.category = np.zeros(num_envs, np.int64)

    def _begin(self, rows, seeds, episodes):
        self.category[rows] = episodes % 2

    def _render(self, age):
        category, size = self._on_device(self.category.copy()), self.settings.size
        across = torch.arange(size, device=self.device).expand(self.num_envs, size, size)
        position = torch.where(category[:, None, None] > 0, across, across.mT) + age[:, None, None]
        image = (position % 4 * 60).to(torch.uint8)[..., None].expand(-1, -1, -1, 3)
        return image.contiguous(), {"category": category}


class Stripes(SingleWorld):
    vector_world = StripesVector
""",
    )
    copy.insert(
        "envs/registry.py",
        '    "stripes": WorldEntry("Stripes-v0", "Stripes"),',
        after="WORLDS: dict[str, WorldEntry]",
    )
    copy.write("runs/conf/env/stripes.yaml", SCHEMA.format("stripes"))
    assert len(copy.changed) == 2
    copy.learn("env=stripes", "pairs.gap=2", "eval.every=0")
