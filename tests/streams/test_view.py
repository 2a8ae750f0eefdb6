"""What a recording looks like, and what can't be shown is one line."""

import pytest
from PIL import Image

from streams import view
from tests.helpers.recordings import recorded


@pytest.fixture
def walk(tmp_path):
    return recorded(tmp_path / "walk.zarr", 60)


def looked(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["view", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        view.main()
    return left.value.code


@pytest.mark.parametrize("inside", [False, True])
def test_a_picture_is_named_after_the_recording_also_from_within(walk, tmp_path, monkeypatch, inside):
    monkeypatch.chdir(walk if inside else tmp_path)
    assert looked(monkeypatch, "." if inside else "walk.zarr", "--worlds", 2, "--steps", 5) == 0
    with Image.open("walk.png") as strip:
        assert strip.size == (5 * 66 - 2, 2 * 66 - 2)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--steps", 0], "--steps 0 shows nothing"),
        (["--worlds", 0], "--worlds 0 shows nothing"),
        (["--start", 20], "--start 20 is past the end"),
        (["--out", "walk.bmp"], "known: walk.png, walk.gif, walk.mp4"),
        (["--out", "nowhere/walk.png"], "No such file or directory"),
    ],
)
def test_a_mistake_is_one_line(walk, monkeypatch, capsys, arguments, line):
    monkeypatch.chdir(walk.parent)
    capsys.readouterr()
    assert looked(monkeypatch, walk, *arguments) == 2
    message = capsys.readouterr().err
    assert line in message
    assert message.count("\n") == 1
