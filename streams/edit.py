"""Makes a recording of parts of others: python -m streams.edit OUT.zarr IN.zarr [MORE.zarr ...]

python -m streams.edit short.zarr walk.zarr --steps 100:200            # cut
python -m streams.edit both.zarr a.zarr b.zarr                         # joined: one after another
python -m streams.edit mugs.zarr walk.zarr --categories mug,3          # filtered by category, or by --episodes
python -m streams.edit wide.zarr a.zarr b.zarr --side-by-side          # zipped: as more worlds
"""

import argparse

from envs.errors import SettingError
from streams.process.errors import guarded
from streams.process.terminal import visible
from streams.recording.editing import select


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m streams.edit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", help="the new recording: a folder, or any fsspec URL")
    parser.add_argument("sources", nargs="+", help="recordings")
    parser.add_argument("--steps", help="FIRST:PAST, of each of them")
    parser.add_argument("--categories", help="names or numbers, with commas")
    parser.add_argument("--episodes", help="numbers, with commas")
    parser.add_argument("--side-by-side", action="store_true", help="as more worlds, and not one after another")
    args = parser.parse_args()
    guarded(_edit, args, place="OUT", stopped="remove what is there, and say it again")


def _edit(args: argparse.Namespace) -> None:
    made = select(
        args.sources,
        args.out,
        steps=_pair(args.steps),
        categories=args.categories and [int(one) if one.isdecimal() else one for one in _parts(args.categories)],
        episodes=_numbers("episodes", args.episodes),
        side_by_side=args.side_by_side,
    )
    shown = f"{made.steps * made.worlds:,} frames, {made.steps:,} steps of {made.worlds} worlds"
    print(f"{visible(args.out)}: {shown}")  # noqa: T201


def _pair(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, past = text.partition(":")
    if not (first.isdecimal() and past.isdecimal()):
        raise SettingError(f"--steps {text} is no stretch; write FIRST:PAST, as in 100:200")
    return int(first), int(past)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _numbers(name: str, text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = _parts(text)
    if not all(part.isdecimal() for part in parts):
        raise SettingError(f"--{name} {text} are no numbers; write them with commas, as in 0,3")
    return [int(part) for part in parts]


if __name__ == "__main__":
    main()
