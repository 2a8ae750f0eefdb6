"""Whatever happens to any file of a recording is named or does no harm: never silent, never a traceback."""

from functools import cache
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from envs.errors import SettingError
from streams.check import examine
from streams.record import record
from streams.recording.reader import COPY, Recording, record_in
from streams.recording.storage import open_folder
from streams.repair import RepairSettings, repair
from tests.helpers.pristine import Pristine
from tests.helpers.recordings import SMALL, files

STEPS = 400  # in two shards
pristine = cache(Pristine)
KINDS = ("flip", "cut", "zeros", "random", "exchange", "copy", "delete", "foreign", "empty", "longer")


@pytest.fixture(scope="module")
def walks(tmp_path_factory):
    """A recording, another of the same shape, and what the first one shows."""
    folder = tmp_path_factory.mktemp("fuzz")
    for seed in (0, 9):
        record([*SMALL, f"seed={seed}", f"record.path={folder / str(seed)}", f"record.frames={STEPS * 3}"])
    return folder / "0", folder / "9", shown(folder / "0")


def shown(path):
    recording = Recording(str(path))
    arrays = {name: recording.span(0, recording.committed, name) for name in recording.names}
    return {key: value for key, value in recording.facts.items() if key != "checksum"}, arrays


def same(a, b):
    return a[0] == b[0] and all(np.array_equal(a[1][name], b[1][name]) for name in a[1])


def hurt(path, walk, other, kind, *, file, second, place, length):
    """A copy of a recording with one file damaged; numbers are taken as they come, modulo what there is."""
    pristine(walk, path).restore()
    names = sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())
    one, two = path / names[file % len(names)], path / names[second % len(names)]
    data = bytearray(one.read_bytes())
    at, end = place % len(data), min(len(data), place % len(data) + length)
    if kind == "flip":
        data[at] ^= 1 << length % 8
    elif kind == "cut":
        del data[at:]
    elif kind == "zeros":
        data[at:end] = bytes(end - at)
    elif kind == "random":
        data[at:end] = np.random.default_rng(length).integers(0, 256, end - at, dtype=np.uint8).tobytes()
    elif kind == "exchange":
        data, before = bytearray(two.read_bytes()), bytes(data)
        two.write_bytes(before)
    elif kind == "copy":
        data = bytearray(two.read_bytes())
    elif kind == "foreign":
        data = bytearray((other / names[second % len(names)]).read_bytes())
    elif kind == "empty":
        data = bytearray()
    elif kind == "longer":
        data += bytes(length)
    one.write_bytes(data) if kind != "delete" else one.unlink()
    return path


def outcome(path):
    """What is read, or the one line of what is wrong."""
    try:
        return shown(path)
    except SettingError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return str(error)


def lost(path):
    """Whether neither the commit record nor its copy is this recording's own."""
    ours = (record_in(open_folder(str(path)), key) for key in ("zarr.json", COPY))
    return not any(one and one["seed"] == 0 for one in ours)


NUMBERS = st.integers(0, 1 << 20)


@settings(
    max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(KINDS), NUMBERS, NUMBERS, NUMBERS, st.integers(1, 64))
@example("exchange", 2, 3, 0, 1)
@example("empty", 19, 0, 0, 1)
def test_damage_to_any_file_is_named_or_harmless(walks, tmp_path, kind, file, second, place, length):
    walk, other, truth = walks
    path = hurt(tmp_path / "hurt", walk, other, kind, file=file, second=second, place=place, length=length)
    read = outcome(path)
    if isinstance(read, str):
        assert str(path) in read
    else:
        assert same(read, truth)
    try:
        lines = examine(str(path))["damaged"]
    except SettingError as error:
        lines = [str(error)]
    assert lines or not isinstance(read, str)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(KINDS), NUMBERS, NUMBERS, NUMBERS, st.integers(1, 64))
def test_damage_to_any_one_file_is_mended_to_the_bit(walks, tmp_path, kind, file, second, place, length):
    walk, other, truth = walks
    path = hurt(tmp_path / "hurt", walk, other, kind, file=file, second=second, place=place, length=length)
    if lost(path):
        return
    done, sound = repair(str(path), RepairSettings(repair=True), console=Console(file=StringIO()))
    assert sound, done
    assert same(outcome(path), truth)
    if done:
        assert all(files(path)[name] == data for name, data in files(walk).items() if "c" in Path(name).parts)
