"""One door lists a folder for worlds and for importing: the same files, the same classes, in the same order."""

import os
from pathlib import Path

import pytest
from PIL import Image

from envs.command.text import printable
from envs.errors import SettingError
from envs.images.folders import HIDDEN, LOOP, SPECIAL, listing, named, natural
from envs.images.pictures import load_pictures


def filled(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name, format="PNG")
    return folder


def test_ten_comes_after_two_among_folders_and_files(tmp_path):
    found = listing(filled(tmp_path, "1/2.png", "1/10.png", "2/1.png", "10/1.png"), (".png",))
    assert [file.removeprefix(f"{tmp_path}/") for file in found.files] == ["1/2.png", "1/10.png", "2/1.png", "10/1.png"]
    assert found.classes == [0, 0, 1, 2]
    assert found.categories == ["1", "2", "10"]
    assert sorted(["a01", "a1", "a10", "a2"], key=natural) == ["a01", "a1", "a2", "a10"]


def test_a_world_and_an_import_number_classes_alike(tmp_path):
    pictures = load_pictures(str(filled(tmp_path, "10/a.png", "2/a.png", "1/a.png", "1/b.png", ".git/x.png")))
    assert pictures.labels.tolist() == [0, 0, 1, 2]
    assert pictures.categories == ["1", "2", "10"]
    assert pictures.notes == [f"passed over: 1 {HIDDEN} (.git)"]
    frames = [Image.new("RGB", (8, 8), (90 * number, 0, 0)) for number in range(2)]
    frames[0].save(tmp_path / "1" / "c.gif", save_all=True, append_images=frames[1:])
    notes = load_pictures(str(tmp_path)).notes
    assert notes[1] == "of moving pictures the first frame is shown: 1 of them (c.gif)"


def test_a_link_to_itself_is_passed_over(tmp_path):
    (filled(tmp_path, "a.png") / "loop.png").symlink_to(tmp_path / "loop.png")
    found = listing(tmp_path, (".png",))
    assert found.files == [f"{tmp_path}/a.png"]
    assert found.passed_over == {SPECIAL: ["loop.png"]}


def test_hidden_and_system_entries_are_no_classes_and_no_pictures(tmp_path):
    hidden = [".ipynb_checkpoints/a-checkpoint.png", "._1.png", "__MACOSX/a.png", "@eaDir/a.png"]
    filled(tmp_path, "a.png", *hidden)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    found = listing(tmp_path, (".png",))
    assert found.files == [f"{tmp_path}/a.png"]
    assert found.categories == [tmp_path.name]
    assert len(found.passed_over[HIDDEN]) == 7


def test_what_is_of_another_kind_is_counted_by_its_ending(tmp_path):
    filled(tmp_path, "a.PNG", "b.heic", "b/c.heic", "notes.txt", "README")
    found = listing(tmp_path, (".png",))
    assert found.files == [f"{tmp_path}/a.PNG"]
    assert found.passed_over == {
        ".heic": ["b.heic", "b/c.heic"],
        ".txt": ["notes.txt"],
        "without an ending": ["README"],
    }
    assert named(".heic", found.passed_over[".heic"]) == "2 .heic (b.heic, b/c.heic)"
    assert named(".x", [str(number) for number in range(2000)]) == "2,000 .x (0, 1, 2, 3, ...)"


def test_links_are_followed_unless_they_lead_back(tmp_path):
    filled(tmp_path / "elsewhere", "1.png", "2.png")
    top = filled(tmp_path / "top", "cats/1.png")
    (top / "dogs").symlink_to(tmp_path / "elsewhere")
    (top / "cats" / "up").symlink_to(top)
    (top / "lost.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(top / "pipe.png")
    found = listing(top, (".png",))
    assert found.categories == ["cats", "dogs"]
    assert found.classes == [0, 1, 1]
    assert sorted(found.passed_over.pop(SPECIAL)) == ["lost.png", "pipe.png"]
    assert found.passed_over == {LOOP: ["cats/up"]}


def test_a_folder_that_lists_itself_by_two_ways_ends(tmp_path):
    filled(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    assert len(listing(tmp_path, (".png",)).files) == 4


def test_a_name_is_shown_and_gives_the_terminal_no_orders():
    assert printable("\x1b[2Ja\nü雪\udc80") == "\\x1b[2Ja\\nü雪\\udc80"


def test_a_folder_that_must_not_be_read_is_named(tmp_path, monkeypatch):
    filled(tmp_path, "a/1.png")
    scandir = os.scandir

    def guarded(folder):
        if folder.endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(SettingError, match="holds a, which can't be read .Permission denied."):
        listing(tmp_path, (".png",))
