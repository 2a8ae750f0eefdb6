"""A wheel in an empty folder: the four packages, the examples and the YAML files are found without the source tree."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TINY = ["env=counting", "env.size=16", "env.num_worlds=8", "env.episode_length=8", "pairs.gap=2", "run.frames=64"]
TINY += ["eval.train=60", "eval.validation=40", "eval.test=40", "eval.ends=[]", "eval.transfer=[]", "device=cpu"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the wheel was installed into; its dependencies are those of this environment."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = place / "source"
    source.mkdir()
    for name in ("envs", "streams", "runs", "learners", "examples", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", place]
    subprocess.run([*pip, "wheel", *options, source], check=True, capture_output=True, cwd=place)
    (wheel,) = place.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", place / "site", wheel], check=True, capture_output=True)
    return place / "site"


def run(installed, where, *command):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, *command], cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_no_tests_and_says_its_types(installed):
    assert {"envs", "streams", "runs", "learners", "examples"} <= {path.name for path in installed.iterdir()}
    assert not (installed / "tests").exists()
    assert all((installed / name / "py.typed").is_file() for name in ("envs", "streams", "runs", "learners"))
    assert (installed / "examples/conf/loss/triplet.yaml").is_file()


def test_the_main_job_a_recording_a_comparison_and_a_report(installed, tmp_path):
    assert str(installed) in run(installed, tmp_path, "-c", "import runs; print(runs.__file__)")
    for seed in (0, 1):
        run(installed, tmp_path, "-m", "learners.online", *TINY, f"seed={seed}", f"run.name={seed}")
    own = ["env=examples.bouncing_square:bouncing_square", *TINY[1:4], "record.path=a.zarr", "record.frames=64"]
    run(installed, tmp_path, "-m", "streams.record", *own, "device=cpu")
    assert json.loads(run(installed, tmp_path, "-m", "runs.compare", "results/0", "results/1", "--json"))
    run(installed, tmp_path, "-m", "runs.report", "results")
    assert (tmp_path / "results/report.html").stat().st_size > 10_000


def test_there_is_a_script_for_every_command(installed):
    (entries,) = installed.glob("contiguity-*.dist-info/entry_points.txt")
    named = {line.partition("=")[2].strip() for line in entries.read_text().splitlines() if "=" in line}
    commands = [path for name in ("envs", "streams", "runs", "learners") for path in (ROOT / name).glob("*.py")]
    commands = [path for path in commands if '__name__ == "__main__"' in path.read_text() and path.stem != "__init__"]
    modules = {f"{path.parent.name}.{path.stem}:main" for path in commands} - {"learners.score:main"}  # runs.score is
    assert named == modules
