"""Reads what the names of picture files say: object and angle, frame numbers, times.

A number alone is a frame number. What a name says counts only together with the others: an object has several frames,
and its number varies. Where two readings are as good as one another nothing is guessed.
"""

import re
from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from math import gcd, isnan, nan
from typing import NamedTuple

from envs.command.text import printable
from envs.errors import SettingError, unknown

AUTO, FRAMES, TURNTABLE, TIME, SINGLE = READINGS = ("auto", "frames", "turntable", "time", "single")
FACTORS = ("angle", "frame", "time")  # what a number may be, and the groups of a regular expression
ALONE = re.compile(r"[-+\u2212]?[0-9]+(\.[0-9]+)?")
LAST = re.compile(r"(?P<stem>.*?)(?P<number>[0-9]+(\.[0-9]{1,2})?)( ?(deg|degrees|°))?")
MINUS = "-\u2212"  # the hyphen, which also separates, and the sign
SEPARATORS = f"_+. ~{MINUS}"
YEAR, MONTH = r"(?<![0-9])(?P<year>19[0-9]{2}|20[0-9]{2})", r"(?P<month>0[1-9]|1[0-2])"
DATE = rf"{YEAR}(?P<d>[-_.]?){MONTH}(?P=d)(?P<day>0[1-9]|[12][0-9]|3[01])"
HOUR, MINUTE, SECOND = r"(?P<hour>[01][0-9]|2[0-3])", r"(?P<minute>[0-5][0-9])", r"(?P<second>[0-5][0-9])"
PART = r"([.,]?(?P<part>[0-9]{1,9}))?(?![0-9])"  # of a second
TIMES = (  # names that hold a time, surely
    re.compile(rf"{DATE}(T|_|-|\.| |at)*{HOUR}[-_.:h]?{MINUTE}[-_.:m]?{SECOND}{PART}[sZ]?"),
    re.compile(rf"{DATE}$"),
    re.compile(rf"(?<![0-9]){HOUR}(?P<c>[-.:]){MINUTE}(?P=c){SECOND}{PART}"),
    re.compile(rf"(?<![0-9]){HOUR}h{MINUTE}m{SECOND}{PART}s?"),
    re.compile(r"(?<![0-9.])(?P<unix>1[0-9]{9}(\.[0-9]+)?|1[0-9]{12}|1[0-9]{15}|1[0-9]{18})(?![0-9])"),
)
PERHAPS_TIMES = (  # and those that may as well hold an object's number and an angle
    re.compile(rf"(?<![^-_. ]){HOUR}_{MINUTE}_{SECOND}$"),
    re.compile(rf"(?<![^-_. ]){HOUR}[-.]{MINUTE}$"),
)
FULL_TURN, PADDED = 360, 4  # degrees; digits of a number that counts frames
FEW = 0.2  # share of names that may look alike by chance


class Name(NamedTuple):
    """What one name says."""

    object: str
    number: float


class Names(NamedTuple):
    """What the names of files say, all of them read alike: the files that are taken, episode by episode."""

    files: list[int]  # which they are, in the order of their numbers
    episode: list[int]  # of each
    objects: list[str]  # of each; "" where names say none
    numbers: list[float]  # of each; nan where names hold none
    factor: str  # what the numbers are, one of FACTORS; "" where there are none
    reading: str  # in words, with an example
    passed_over: list[int]  # the files whose names do not fit


def read_names(files: Sequence[str], folders: Sequence[int], names: str) -> Names:
    """What the names of files in `folders` (a number each) say, by `names`: one of READINGS or a regular expression.

    Raises SettingError: an expression that is none, or names that may be read in two ways.
    """
    stems = [file.rpartition("/")[2].rpartition(".")[0] for file in files]
    if names == AUTO:
        return _auto(files, stems, folders)
    if names == SINGLE:
        singles: list[Name | None] = [Name(str(at), nan) for at in range(len(files))]
        return _pattern(files, singles, folders, "", "each picture is an episode by itself")
    if names == FRAMES:
        return _by_folder(files, stems, folders)
    if names == TURNTABLE:
        return _pattern(files, [of for of, _ in _last_numbers(stems, folders)], folders, "angle")
    if names == TIME:
        return _pattern(files, [_time(stem, TIMES + PERHAPS_TIMES) for stem in stems], folders, "time")
    return _pattern(files, *_expression(files, stems, names, folders))


def _auto(files: Sequence[str], stems: list[str], folders: Sequence[int]) -> Names:
    """Names read as what they say surely. Raises SettingError: they may be read in two ways."""
    times = [_time(stem, TIMES) for stem in stems]
    if all(times):
        return _pattern(files, times, folders, "time")
    timed = [at for at, time in enumerate(times) if time]
    if len(timed) >= FEW * len(files):
        raise _ambiguous(files, stems, folders, fits=timed[0], other=times.index(None))
    read = _last_numbers(stems, folders)
    if all(_time(stem, PERHAPS_TIMES) and not ALONE.fullmatch(stem) for stem in stems):
        raise _ambiguous(files, stems, folders, fits=0)
    inside: dict[int, list[int]] = {}  # the files of each folder
    for at, folder in enumerate(folders):
        inside.setdefault(folder, []).append(at)
    by_object = set()  # folders that hold several objects
    for folder, members in inside.items():
        several, others = _of_objects(members, read)
        if several and others:
            raise _ambiguous(files, stems, folders, fits=several[0], other=others[0])
        if several:
            by_object.add(folder)
    if not by_object:
        return _by_folder(files, stems, folders)
    return _mixed(files, stems, folders, by_object)


def _of_objects(members: list[int], read: Sequence[tuple[Name | None, str]]) -> tuple[list[int], list[int]]:
    """The files of a folder whose object has several numbers, and the others; none where that may be chance."""
    numbers: dict[str | None, set[float]] = {}
    for at in members:
        name = read[at][0]
        numbers.setdefault(name and name.object, set()).add(name.number if name else nan)
    parts: dict[bool, list[int]] = {True: [], False: []}
    for at in members:
        name = read[at][0]
        parts[name is not None and len(numbers[name.object]) > 1].append(at)
    if len(numbers) == 1 or len(parts[True]) < FEW * len(members):
        return [], []
    return parts[True], parts[False]


def _mixed(files: Sequence[str], stems: list[str], folders: Sequence[int], by_object: set[int]) -> Names:
    """An episode for each object of the folders that hold several, and for each other folder."""
    read = _last_numbers(stems, folders)
    kind = _kind([text for (_, text), folder in zip(read, folders, strict=True) if folder in by_object], read)
    plain = _numbered(stems, folders)
    names = [of if folder in by_object else own for (of, _), own, folder in zip(read, plain, folders, strict=True)]
    return _pattern(files, names, folders, kind)


def _by_folder(files: Sequence[str], stems: list[str], folders: Sequence[int]) -> Names:
    """Each folder an episode, in the order of its numbers where its names differ in a number alone, or of its names."""
    names, read = _numbered(stems, folders), _last_numbers(stems, folders)
    counted = [at for at, name in enumerate(names) if not isnan(name.number)]
    if not counted:
        return _pattern(files, names, folders, "", "each folder is an episode, in the order of its names")
    kind = _kind([read[at][1] for at in counted], [read[at] for at in counted])
    return _pattern(files, names, folders, kind)


def _numbered(stems: list[str], folders: Sequence[int]) -> list[Name]:
    """Object and number of names that differ in the number alone within their folder; no object and nan of others."""
    read = _last_numbers(stems, folders)
    objects: dict[int, set[str | None]] = {}
    for folder, (name, _) in zip(folders, read, strict=True):
        objects.setdefault(folder, set()).add(name and name.object)
    alike = [len(objects[folder]) == 1 for folder in folders]
    return [
        Name(name.object, name.number) if one and name else Name("", nan)
        for (name, _), one in zip(read, alike, strict=True)
    ]


def _kind(texts: list[str], read: Sequence[tuple[Name | None, str]]) -> str:
    """Whether numbers are angles, times or count frames; `texts` are their digits."""
    names = [name for name, _ in read if name]
    numbers, alone = [name.number for name in names], not any(name.object for name in names)
    if min(numbers) < 0:
        return "angle"
    if any("." in text for text in texts):
        return "time" if alone else "angle"
    if alone or max(numbers) > FULL_TURN or any(len(text) >= PADDED for text in texts):
        return "frame"
    step = gcd(*(int(number) for number in numbers))
    return "angle" if step > 1 or max(numbers) - min(numbers) >= FULL_TURN - 10 else "frame"


def _last_numbers(stems: Sequence[str], folders: Sequence[int]) -> list[tuple[Name | None, str]]:
    """Object and last number of each name, and that number's digits; None where a name does not end in one."""
    matches = [LAST.fullmatch(stem) for stem in stems]
    objects = ["" if match is None else match["stem"].rstrip(SEPARATORS) for match in matches]
    between = [
        "" if match is None else match["stem"][len(name) :] for match, name in zip(matches, objects, strict=True)
    ]
    behind: dict[tuple[int, str], set[str]] = {}  # all that stands between an object and its numbers
    for match, folder, name, text in zip(matches, folders, objects, between, strict=True):
        if match:
            behind.setdefault((folder, name), set()).add(text)
    read: list[tuple[Name | None, str]] = []
    for match, folder, name, text in zip(matches, folders, objects, between, strict=True):
        sign = -1 if match and _is_minus(text, behind[folder, name]) else 1
        read.append((Name(name, sign * float(match["number"])), match["number"]) if match else (None, ""))
    return read


def _is_minus(between: str, behind: set[str]) -> bool:
    """Whether what stands before a number makes it negative: a minus after a separator, or one that others lack."""
    if not between or between[-1] not in MINUS:
        return False
    return len(between) > 1 or len(behind) > 1 or between == MINUS[1]


def _time(stem: str, patterns: Sequence[re.Pattern]) -> Name | None:
    """Object and seconds of a name that holds a time; None where it does not."""
    match = next((match for pattern in patterns if (match := pattern.search(stem))), None)
    if match is None:
        return None
    of, seconds = match.groupdict(), 0.0
    if of.get("unix"):
        whole, _, part = of["unix"].partition(".")
        seconds = float(f"{whole[:10]}.{whole[10:]}{part}")
    try:
        if of.get("year"):
            seconds = datetime(int(of["year"]), int(of["month"]), int(of["day"]), tzinfo=UTC).timestamp()
    except ValueError:  # the 31st of February
        return None
    for unit, scale in (("hour", 3600), ("minute", 60), ("second", 1)):
        seconds += scale * int(of.get(unit) or 0)
    before, behind = stem[: match.start()].rstrip(SEPARATORS), stem[match.end() :].strip(SEPARATORS + "()")
    name = "_".join(part for part in (before, behind) if part and not part.isdecimal())
    return Name(name, seconds + float(f"0.{of.get('part') or 0}"))


def _expression(
    files: Sequence[str], stems: list[str], names: str, folders: Sequence[int]
) -> tuple[list[Name | None], Sequence[int], str]:
    """What a regular expression of the user's finds in names, and what its numbers are."""
    if names.isalpha():
        raise unknown("names", names, (*READINGS, "a regular expression"))
    try:
        pattern = re.compile(names)
    except re.error as error:
        raise SettingError(
            f"names={names} is no regular expression ({error}), nor one of {', '.join(READINGS)}"
        ) from None
    kind = next((name for name in FACTORS if name in pattern.groupindex), "")
    read: list[Name | None] = []
    for file, stem in zip(files, stems, strict=True):
        match = pattern.fullmatch(stem)
        if not match or not kind:  # without a number, names are in order
            read.append(Name("", nan) if match else None)
            continue
        try:
            name = (match["object"] or "") if "object" in pattern.groupindex else ""
            read.append(Name(name, float(match[kind])))
        except (TypeError, ValueError):
            raise SettingError(
                f"names={names} finds {kind}={match[kind]} in {printable(file.rpartition('/')[2])}, which is no "
                f"number; let the group {kind} match digits, or set names=frames for the order of the names"
            ) from None
    if not any(read):
        raise SettingError(f"names={names} fits none of {len(files)} names, such as {printable(stems[0])}; mend it")
    return read, folders, kind


def _pattern(
    files: Sequence[str], read: Sequence[Name | None], folders: Sequence[int], factor: str, reading: str = ""
) -> Names:
    """An episode for each object of each folder, in the order of numbers; names that do not fit are passed over."""
    groups: dict[Hashable, int] = {}
    rows = []
    for at, (name, folder) in enumerate(zip(read, folders, strict=True)):
        if name:
            episode = groups.setdefault((folder, name.object), len(groups))
            rows.append((episode, -1.0 if isnan(name.number) else name.number, at, name))
    if not rows:
        few = f"{len(files)} names, such as {printable(files[0].rpartition('/')[2])}"
        raise SettingError(f"has no {factor} in any of {few}; try names=frames, for the order of the names")
    rows.sort(key=lambda row: row[:3])
    taken = [name for *_, name in rows]
    return Names(
        [at for _, _, at, _ in rows], [episode for episode, *_ in rows],
        [name.object for name in taken], [name.number for name in taken], factor,
        reading or _said(files[rows[0][2]], rows[0][3], factor), [at for at, name in enumerate(read) if not name],
    )  # fmt: skip


def _said(file: str, name: Name | None, factor: str) -> str:
    """What a name is read as, in words."""
    assert name
    number = "" if isnan(name.number) or not factor else f"{factor} {as_text(name.number, factor)}"
    about = ", ".join(part for part in (name.object and f"object {printable(name.object)}", number) if part)
    return f"{printable(file.rpartition('/')[2])} is {about or 'a picture of its folder'}"


def as_text(number: float, factor: str) -> str:
    """A number of a name in words: a time as a clock shows it."""
    if factor == TIME and number >= 86_400:
        return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if factor != TIME or number < 0:
        return f"{number:.15g}"
    minutes, seconds = divmod(number, 60)
    return f"{int(minutes // 60):02}:{int(minutes % 60):02}:{seconds:06.3f}".removesuffix(".000")


def _ambiguous(files: Sequence[str], stems: list[str], folders: Sequence[int], *, fits: int, other: int | None = None):
    """The error for names that may be read in two ways, with both and the settings that choose."""
    ways = {
        TURNTABLE: (_last_numbers(stems, folders)[fits][0], "angle"),
        TIME: (_time(stems[fits], TIMES + PERHAPS_TIMES), "time"),
    }
    said = [f"{_said(files[fits], name, factor)} (names={way})" for way, (name, factor) in ways.items() if name]
    but = f" and {printable(files[other].rpartition('/')[2])} does not fit" if other is not None else ""
    return SettingError(
        f"has names that may be read in several ways: {' or '.join(said)}{but}, or each folder is one episode "
        f"(names=frames) or each picture (names=single); choose by names=, which may be a regular expression "
        "with groups object and angle"
    )
