import errno
import os
from pathlib import Path

import pytest
import torch

from envs.errors import SettingError
from runs.store.checkpoint import load_newest, save, weights_sha256


def state(number):
    """Of a run that has seen a hundred frames an update."""
    parts = {"learner": {"weights": torch.full((300,), float(number))}, "stream": {"names": ["a", {"b": None}]}}
    return parts | {"means": {}, "updates": number, "frames": 100 * number}


def test_the_newest_is_read_back_and_so_many_are_kept(tmp_path):
    for number in range(1, 6):
        save(tmp_path, state(number), frames=100 * number, keep=3)
    loaded, damaged = load_newest(tmp_path)
    assert loaded["updates"] == 5
    assert torch.equal(loaded["learner"]["weights"], state(5)["learner"]["weights"])
    assert damaged == []
    assert sorted(path.name[:12] for path in tmp_path.iterdir()) == [f"{frames:012d}" for frames in (300, 400, 500)]


def test_what_lay_on_a_gpu_is_read_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:1")
    save(tmp_path, state(1), frames=100)
    monkeypatch.undo()
    assert torch.equal(load_newest(tmp_path)[0]["learner"]["weights"], state(1)["learner"]["weights"])
    assert load_newest(tmp_path, device=torch.device("meta"))[0]["learner"]["weights"].is_meta


def test_an_empty_folder_has_no_state(tmp_path):
    assert load_newest(tmp_path) == (None, [])


@pytest.mark.parametrize("harm", ["cut", "flip", "empty"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(tmp_path, harm):
    save(tmp_path, state(1), frames=100)
    newest = save(tmp_path, state(2), frames=200)
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes({"cut": bytes(data[:-50]), "flip": bytes(data), "empty": b""}[harm])
    loaded, damaged = load_newest(tmp_path)
    assert loaded["updates"] == 1
    assert damaged == [newest]


def test_when_all_are_damaged_it_says_which(tmp_path):
    path = save(tmp_path, state(1), frames=100)
    path.write_bytes(b"rubbish")
    with pytest.raises(SettingError, match=path.name):
        load_newest(tmp_path)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_older_checkpoint_and_nothing_else(tmp_path, monkeypatch, call):
    old = save(tmp_path, state(1), frames=100)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, state(2), frames=200)
    assert list(tmp_path.iterdir()) == [old]
    assert load_newest(tmp_path)[0]["updates"] == 1


def test_what_a_kill_left_behind_is_removed(tmp_path):
    (tmp_path / "000000000100-0.pt.tmp").write_bytes(b"half")
    save(tmp_path, state(1), frames=100)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_checkpoint_executes_nothing(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    save(tmp_path, state(1) | {"trap": Trap()}, frames=100)
    with pytest.raises(SettingError, match="damaged or not ours"):
        load_newest(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_weights_have_one_sha_exactly_if_they_are_the_same():
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(2)}
    again = {"b": torch.zeros(2), "a": torch.arange(6.0).reshape(3, 2).T.reshape(2, 3) * 0 + weights["a"]}
    assert weights_sha256(weights) == weights_sha256(again)
    assert weights_sha256(weights) != weights_sha256(weights | {"b": torch.tensor([0.0, 1e-30])})
