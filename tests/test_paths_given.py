"""Every path that a command takes, with a folder, a file, nothing and a pipe there: one line, or a sensible run."""

import os

import pytest
from PIL import Image

from envs.errors import SettingError
from learners.online import PROGRAM
from runs import compare, report, show
from runs.launch.start import start
from streams import check, view
from streams.importing import ImportSettings, import_stream
from streams.record import record
from tests.helpers.recordings import SMALL as SMALL_WORLD

SMALL = ["device=cpu", "env.num_worlds=4", "env.size=16", "run.frames=16", "eval.every=0", "watch.every=0"]
EVALUATED = [*SMALL, "env=counting", "eval.every=16", "eval.train=64", "eval.validation=32", "eval.test=32"]
KINDS = (
    "an empty folder",
    "a folder of other things",
    "a file",
    "an empty file",
    "nothing",
    "a pipe",
    "a link to itself",
)


@pytest.fixture(params=KINDS)
def place(request, tmp_path):
    path = tmp_path / "place"
    if "folder" in request.param:
        path.mkdir()
    if "other things" in request.param:
        (path / "notes.txt").write_text("not ours")
    if "file" in request.param:
        path.write_bytes(b"" if "empty" in request.param else b"not ours")
    if request.param == "a pipe":
        os.mkfifo(path)
    if request.param == "a link to itself":
        path.symlink_to(path)
    return path


def pictures(folder):
    (folder / "pictures").mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / "pictures" / f"{number}.png")
    return str(folder / "pictures")


def main_of(module, *arguments):
    """Runs a command, whose own errors are one line on stderr and status 2."""

    def call(monkeypatch, capsys):
        monkeypatch.setattr("sys.argv", [module.__name__, *map(str, arguments)])
        try:
            module.main()
        except SystemExit as left:
            assert left.code in (0, None) or (left.code in (1, 2) and capsys.readouterr().err.count("\n") == 1)  # noqa: PT017

    return call


RUNS = {
    "results_dir": lambda place: start([*SMALL, "env=counting", "run.name=one", f"results_dir={place}"], PROGRAM),
    "run.resume": lambda place: start([f"run.resume={place}"], PROGRAM),
    "stream.path": lambda place: start(["stream=replay", f"stream.path={place}", "eval.every=0"], PROGRAM),
    "stream.record": lambda place: start(
        [*SMALL, "env=counting", f"stream.record={place}", f"results_dir={place.parent}/r"], PROGRAM
    ),
    "env.path": lambda place: start(
        [*SMALL, "env=moving_images", f"env.path={place}", f"results_dir={place.parent}/r"], PROGRAM
    ),
    "env.background_path": lambda place: start(
        [*SMALL, "env.background=pictures", f"env.background_path={place}", f"results_dir={place.parent}/r"], PROGRAM
    ),
    "eval.transfer": lambda place: start(
        [*EVALUATED, f"eval.transfer=['{place}/']", f"results_dir={place.parent}/r"], PROGRAM
    ),
    "eval.data_root": lambda place: start(
        [*EVALUATED, "eval.transfer=[cifar10]", f"eval.data_root={place}", f"results_dir={place.parent}/r"], PROGRAM
    ),
    "record.path": lambda place: record([*SMALL_WORLD, f"record.path={place}", "record.frames=30"]),
    "source": lambda place: import_stream(ImportSettings(source=str(place), path=f"{place.parent}/new.zarr")),
    "path": lambda place: import_stream(ImportSettings(source=pictures(place.parent), path=str(place))),
}


@pytest.mark.parametrize("setting", RUNS)
def test_a_path_to_anything_is_one_line_that_names_it_or_a_run(setting, place):
    try:
        assert RUNS[setting](place) == 0
    except SettingError as error:
        assert str(error).count("\n") == 0  # noqa: PT017
        assert str(place) in str(error)  # noqa: PT017
    except OSError as error:  # which a command shows as a line of the place
        assert str(place) in str(error.filename)  # noqa: PT017


@pytest.mark.parametrize("command", [show, compare, report, check, view], ids=lambda module: module.__name__)
def test_a_command_on_a_path_to_anything_is_one_line(command, place, monkeypatch, capsys):
    main_of(command, place)(monkeypatch, capsys)
