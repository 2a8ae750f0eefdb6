"""Folders of pictures and films, and single files of either, as a source."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from envs.command.text import counted, printable
from envs.errors import SettingError
from envs.images.decoding import moves, suffixes
from envs.images.folders import listing, named
from streams.media.continuity import look_into
from streams.media.lerobot import episodes_of, is_lerobot
from streams.media.names import AUTO, FACTORS, Names, as_text, read_names
from streams.media.pictures import OR_SKIP, TOGETHER, check_sizes, decoded, fitted, stacked
from streams.media.source import MOST_FRAMES, Batch, ImportSettings, Report, Source, resampled
from streams.media.video import VIDEOS, Clip, Frame, film_frames

SHOWN = 12  # categories that are named, in the line that says which there are
HEIF = (".heic", ".heif", ".hif")
KINDS = {"angle": np.float32, "frame": np.int64, "time": np.float32}


class Files(NamedTuple):
    """What a folder holds, in the order in which it is imported."""

    stills: list[str]  # of all episodes, in the order of their frames
    names: Names | None  # what their names say; None where there are none
    categories: list[int]  # of each still
    films: list[Clip]
    film_categories: list[int]  # of each film
    called: list[str]  # the categories' names: those of folders, or of the objects in a folder alone
    passed_over: dict[str, list[str]]


def is_media(where: Path) -> bool:
    """Whether a file is a picture or a film, by its name."""
    return where.name.lower().endswith((*suffixes(), *VIDEOS))


def files_source(where: Path, settings: ImportSettings) -> Source:
    """The pictures and films of a folder, or of a single file.

    A folder that holds films holds pictures of them: those are passed over. Otherwise a moving picture is an episode by
    itself, and of the others the names say what an episode is.

    Raises SettingError: there are none, or names that may be read in two ways; its frames, that one can't be decoded.
    """
    files, report = _files(where, settings), Report()
    if not files.stills and not files.films:
        beside = [named(kind, names) for kind, names in files.passed_over.items()]
        there = f", but {', '.join(beside)}" if beside else ""
        raise SettingError(f"holds no pictures or videos{there}; give a folder of .png, .jpg, .mp4 or the like")
    if settings.every > 1 and not files.films:
        raise SettingError(f"has no films, of which every={settings.every} is to be taken; leave every out")
    factors = _factors(files)
    plan = _plan(files)
    if by_folder := settings.names == AUTO and _by_folder(files):
        plan.insert(1, "each folder is an episode; names=single makes each picture one")
    doubt = partial(_doubt, files) if by_folder else str
    return Source(_batches(files, factors, settings, report), plan, files.called, report, doubt)


def _by_folder(files: Files) -> bool:
    """Whether each of several folders is an episode of stills."""
    names = files.names
    if names is None or names.factor not in ("", "frame"):
        return False
    episodes: dict[str, set[int]] = {}
    for file, episode in zip(files.stills, names.episode, strict=True):
        episodes.setdefault(file.rpartition("/")[0], set()).add(episode)
    return 1 < len(episodes) < len(files.stills) and all(len(own) == 1 for own in episodes.values())


def _doubt(files: Files) -> str:
    """Why folders may be classes of single pictures; empty where their pictures follow one another as frames do."""
    assert files.names
    folders: dict[int, list[str]] = {}
    for file, episode in zip(files.stills, files.names.episode, strict=True):
        folders.setdefault(episode, []).append(file)
    look = look_into([*folders.values()])
    if not look.shuffled:
        return ""
    named = ", ".join(printable(Path(files[0]).parent.name) for files in look.shuffled)
    return (
        f"has folders whose neighbouring pictures are no more alike than any two of the folder ({named}: "
        f"{len(look.shuffled)} of the {len(look.folders)} that were looked into); say whether each folder is one "
        "episode (names=frames) or a class of single pictures (names=single)"
    )


def _files(where: Path, settings: ImportSettings) -> Files:
    if is_lerobot(where):
        films, tasks = episodes_of(where, settings.camera)
        called = list(dict.fromkeys(tasks))
        return Files([], None, [], films, [called.index(task) for task in tasks], called, {})
    if settings.camera:
        raise SettingError(f"is no LeRobot data set, of which camera={settings.camera} is to be taken; leave it out")
    if where.is_dir():
        found, folders, called, passed_over = listing(where, (*suffixes(), *VIDEOS))
    else:
        found, folders, called, passed_over = [str(where)], [0], [where.stem], {}
    filmed = [file.lower().endswith(VIDEOS) for file in found]
    moving = [film or moves(file) for film, file in zip(filmed, found, strict=True)]
    still = [at for at, moved in enumerate(moving) if not moved]
    if any(filmed) and still:
        passed_over["pictures beside films"] = [found[at].removeprefix(f"{where}/") for at in still]
        still = []
    names = read_names([found[at] for at in still], [folders[at] for at in still], settings.names) if still else None
    if names and names.passed_over:
        passed_over["of other names"] = [Path(found[still[at]]).name for at in names.passed_over]
    taken = [still[at] for at in names.files] if names else []
    played = [at for at, moved in enumerate(moving) if moved]
    if names and len(set(folders)) == 1 and any(names.objects):
        objects = {name: number for number, name in enumerate(dict.fromkeys(names.objects))}
        called = [*objects, *(called if played else [])]
        categories, film_categories = [objects[name] for name in names.objects], [len(objects)] * len(played)
    else:
        of_folder = [_category(path, settings.category) for path in called]
        called = list(dict.fromkeys(of_folder[folder] for folder in sorted({folders[at] for at in (*taken, *played)})))
        numbers = {name: number for number, name in enumerate(called)}
        categories, film_categories = (
            [numbers[of_folder[folders[at]]] for at in members] for members in (taken, played)
        )
    films = [Clip(found[at]) for at in played]
    return Files([found[at] for at in taken], names, categories, films, film_categories, called, passed_over)


def _category(folder: str, which: str) -> str:
    """The name of the category that a folder (its path from the source on) shows."""
    return {"path": folder, "top": folder.partition("/")[0], "last": folder.rpartition("/")[2]}[which]


def _factors(files: Files) -> list[str]:
    """The factors that a recording of these files has."""
    known = {files.names.factor} if files.names else set()
    return [name for name in FACTORS if name in known | ({"frame", "time"} if files.films else set())]


def _batches(files: Files, factors: Sequence[str], settings: ImportSettings, report: Report) -> Iterator[Batch]:
    """The stills, episode by episode, and then the films."""
    episodes, first = 0, None
    parts = [_films(files, factors, settings, report)]
    if files.names:
        episodes = max(files.names.episode) + 1
        parts.insert(0, _stills(files, files.names, factors, settings, report))
    for number, part in enumerate(parts):
        for batch in part:
            first = batch.images if first is None else first
            check_sizes(first, batch.images)
            yield batch._replace(episode=batch.episode + episodes) if number == len(parts) - 1 and number else batch


def _stills(
    files: Files, names: Names, factors: Sequence[str], settings: ImportSettings, report: Report
) -> Iterator[Batch]:
    """Pictures, by other processes."""
    order, numbers = _at_rate(names, settings.fps)
    paths, episode = [files.stills[at] for at in order], np.array(names.episode)[order]
    category = np.array(files.categories)[order]
    for images, rows, changes, broken in decoded(paths, size=settings.size, skip_broken=settings.skip_broken):
        for row, what in changes:
            report.change(what, paths[row])
        report.broken += [printable(paths[row]) for row, _ in broken]
        if rows:
            of = {name: _column(name, numbers[rows] if name == names.factor else None, len(rows)) for name in factors}
            yield Batch(images, episode[rows], category[rows], of)


def _at_rate(names: Names, fps: float) -> tuple[list[int], np.ndarray]:
    """Which pictures are shown, and the number of each; times are since the first of their episode."""
    episode, numbers = np.array(names.episode), np.array(names.numbers)
    if names.factor != "time":
        if fps:
            raise SettingError(
                f"has names that hold no times, which fps={fps:g} needs; leave fps out, or set names=time"
            )
        return list(range(len(numbers))), numbers
    begins = np.searchsorted(episode, episode)
    numbers = numbers - numbers[begins]
    return at_rate(episode, numbers, fps)


def at_rate(episode: np.ndarray, times_s: np.ndarray, fps: float) -> tuple[list[int], np.ndarray]:
    """The rows that are shown at `fps` frames a second (all of them at 0), and when, of episodes one by one."""
    if not fps:
        return list(range(len(times_s))), times_s
    pairs: list[tuple[float, int]] = []
    lengths = times_s - times_s[np.searchsorted(episode, episode)]
    if (
        count := float(np.maximum.reduceat(lengths, np.flatnonzero(np.diff(episode, prepend=-1))).sum() * fps)
    ) > MOST_FRAMES:
        raise SettingError(f"fps={fps:g} makes {count:,.0f} frames of {len(episode):,} pictures; try fewer")
    for own in np.split(np.arange(len(episode)), np.flatnonzero(np.diff(episode)) + 1):
        pairs += resampled(zip(times_s[own].tolist(), own.tolist(), strict=True), fps)
    return [at for _, at in pairs], np.array([time_s for time_s, _ in pairs])


def _column(name: str, numbers: np.ndarray | None, count: int) -> np.ndarray:
    """A factor of frames, nan (or -1, of a frame number) where it is not known."""
    numbers = np.full(count, np.nan) if numbers is None else numbers
    return (np.where(np.isnan(numbers), -1, numbers) if name == "frame" else numbers).astype(KINDS[name])


def _films(files: Files, factors: Sequence[str], settings: ImportSettings, report: Report) -> Iterator[Batch]:
    """Films, each an episode of its own."""
    coming = _film_frames(files, settings, report)
    while batch := list(islice(coming, TOGETHER)):
        frames, episode, category = zip(*batch, strict=True)
        columns = {
            "frame": np.array([frame.number for frame in frames]),
            "time": np.array([frame.time_s for frame in frames]),
        }
        of = {name: _column(name, columns.get(name), len(frames)) for name in factors}
        images = stacked([frame.pixels for frame in frames], size=0)
        yield Batch(images, np.array(episode), np.array(category), of)


def _film_frames(files: Files, settings: ImportSettings, report: Report) -> Iterator[tuple[Frame, int, int]]:
    """Each frame with its film's number and category; with `skip_broken`, as far as a film can be decoded."""
    for episode, (clip, category) in enumerate(zip(files.films, files.film_categories, strict=True)):
        try:
            for frame in film_frames(clip, settings, report):
                yield frame._replace(pixels=fitted(frame.pixels, settings.size)), episode, category
        except SettingError as error:
            if not settings.skip_broken:
                raise SettingError(f"can't be imported: {printable(Path(clip.file).name)} {error}, {OR_SKIP}") from None
            report.broken.append(f"{printable(clip.file)} {error}")


def _plan(files: Files) -> list[str]:
    """What was understood, a line each."""
    lines = []
    if names := files.names:
        pictures = counted(len(files.stills), "picture")
        lines.append(f"{pictures}; {names.reading}" if len(files.stills) > 1 else pictures)
        counts = np.bincount(names.episode)
        text = episodes(counts)
        if objects := len({name for name in names.objects if name}):
            text += f" of {counted(objects, 'object')}"
        lines.append(text + (f", {names.factor}s {span(names.numbers, names.factor)}" if names.factor else ""))
        same = len(files.stills) - len({*zip(names.episode, names.numbers, strict=True)})
        if names.factor and same:
            lines.append(f"{counted(same, 'picture')} of a number that another of the same episode has; both are taken")
    if files.films:
        films = counted(len(files.films), "film or moving picture", plural="films or moving pictures")
        lines.append(f"{films}, each an episode")
    if len(files.called) > 1:
        shown = ", ".join(map(printable, files.called[:SHOWN])) + (", ..." if len(files.called) > SHOWN else "")
        lines.append(f"{len(files.called):,} categories: {shown}")
        if any("/" in name for name in files.called):
            lines.append(
                "folders lie in folders; category=top or category=last makes the outer or inner ones categories"
            )
    for kind, passed_over in files.passed_over.items():
        way_out = "; pip install pillow-heif opens them" if kind in HEIF else ""
        lines.append(f"passed over: {named(kind, passed_over)}{way_out}")
    return lines


def span(numbers: Sequence[float] | np.ndarray, factor: str = "") -> str:
    """The least and the most of numbers, once where they are one."""
    ends = dict.fromkeys(as_text(float(number), factor) for number in (np.nanmin(numbers), np.nanmax(numbers)))
    return " to ".join(ends)


def episodes(lengths: np.ndarray) -> str:
    """How many episodes there are, and of how many frames."""
    frames = "frame" if lengths.max() == 1 else "frames"
    return f"{counted(len(lengths), 'episode')} of {span(lengths)} {frames}"
