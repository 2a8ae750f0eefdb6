"""A check finds every damage, and sums up what is sound."""

from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
import torch

from envs.errors import SettingError
from streams.check import check, examine
from streams.recording.reader import Recording
from tests.helpers.recordings import changed, live, recorded, replay_of


@pytest.fixture
def walk(tmp_path):
    return recorded(tmp_path / "walk.zarr", 700 * 3)


HURT = {
    "a flipped bit": lambda file: file.write_bytes(
        bytes([*file.read_bytes()[:40], file.read_bytes()[40] ^ 4]) + file.read_bytes()[41:]
    ),
    "a cut": lambda file: file.write_bytes(file.read_bytes()[:-50]),
    "an empty file": lambda file: file.write_bytes(b""),
    "no file": Path.unlink,
}


@pytest.mark.parametrize("hurt", HURT)
@pytest.mark.parametrize("name", ["images", "episode", "factors/age"])
def test_damage_is_named_and_never_shown(walk, hurt, name, capsys):
    file = next(file for file in (walk / name / "c" / "1").rglob("*") if file.is_file())
    HURT[hurt](file)
    where = str(file.relative_to(walk))
    with closing(replay_of(walk)) as replay:
        for lived in islice(live(), 336):
            assert torch.equal(next(replay).images, lived.images)
        with pytest.raises(SettingError, match=f"{where} is damaged") as caught:
            next(replay)
    assert "\n" not in str(caught.value)
    assert check(str(walk)) == 1
    output = capsys.readouterr().out.replace("\n", "")
    assert where in output
    assert "the first 336 of 700 steps are sound" in output


def test_a_sound_recording_is_summed_up(walk, capsys):
    summary = examine(str(walk))
    assert (summary["frames"], summary["steps"], summary["worlds"], summary["size"]) == (2100, 700, 3, [4, 4])
    assert (summary["damaged"], summary["sound_steps"]) == ([], 700)
    assert summary["episodes"] == sum(len(set(row)) for row in Recording(str(walk)).span(0, 700, "episode").T.tolist())
    assert summary["compression"] > 1
    assert check(str(walk)) == 0
    assert "2,100: 700 steps of 3 worlds, 4x4" in capsys.readouterr().out


def test_names_with_brackets_are_shown_as_they_are(tmp_path, capsys):
    walk = recorded(tmp_path / "a[/b].zarr", 60)
    changed(walk, "", lambda document: document["attributes"].update(source={"categories": ["[bold]cup", "[/x]"]}))
    assert check(str(walk)) == 0
    output = capsys.readouterr().out
    assert "2: [bold]cup, [/x]" in output
    assert "a[/b].zarr" in output.replace("\n", "")
