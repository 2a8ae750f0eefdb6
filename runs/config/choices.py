"""The groups of settings and what each can be, as the YAML files in `runs/conf` say. Nothing slow is imported here."""

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

GROUPS = {  # of the main job, and what each chooses
    "env": "the world that is watched",
    "stream": "where frames come from: the world itself, or a recording",
    "pairs": "what makes two views a positive pair",
    "memory": "what is kept of the stream, to learn from again",
    "learner": "the rule that changes the weights",
    "loss": "what a pair should look like",
    "network": "the blocks that learn",
    "experiment": "settings that belong together: those of a table or figure",
}


def choices(*roots: Traversable) -> dict[str, list[str]]:
    """The groups and what each can be, as the YAML files say (`folder/name` in folders), also those of `roots`."""
    names: dict[str, list[str]] = {}
    for root in (files("runs.conf"), *roots):
        for group in filter(_holds_choices, root.iterdir()):
            names[group.name] = sorted({*names.get(group.name, []), *_names(group)})
    return names


def text_of(group: str, name: str, *roots: Traversable) -> str:
    """The YAML file of a choice, as it is written, also of one in `roots`; empty where it has none."""
    paths = (root.joinpath(group, *f"{name}.yaml".split("/")) for root in (files("runs.conf"), *roots))
    return next((path.read_text() for path in paths if path.is_file()), "")


def line_of(group: str, name: str, *roots: Traversable) -> str:
    """What a choice is: the first comment of its YAML file; empty where it has none."""
    text = text_of(group, name, *roots)
    comments = [line[1:].strip() for line in text.splitlines() if re.match("#(?! @package)", line)]
    return comments[0] if comments else ""


def _holds_choices(folder: Traversable) -> bool:
    return folder.is_dir() and not folder.name.startswith("_")


def _names(folder: Traversable) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.name.endswith(".yaml"):
            yield Path(entry.name).stem
        elif _holds_choices(entry):
            yield from (f"{entry.name}/{name}" for name in _names(entry))
