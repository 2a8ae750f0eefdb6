"""Films and moving pictures, frame by frame, as every viewer shows them: upright, and with square pixels."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from envs.errors import SettingError
from envs.images.decoding import TURNED, moving_frames, suffixes
from streams.media.source import ImportSettings, Report, resampled

VIDEOS = (
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m2v", ".wmv", ".asf", ".flv", ".ogv", ".mts",
    ".m2ts", ".ts", ".3gp", ".mjpeg", ".y4m", ".vob",
)  # fmt: skip
SQUARED = "with pixels that are not square, stretched"
SHORT, SPOILT = "with fewer frames than the file says", "with frames that are damaged"
COVER = 0x400  # FFmpeg's flag of a stream that is a still picture, as of a disc's cover
DISPLAY_MATRIX = 9  # numbers: what the frame's x and y become


class Clip(NamedTuple):
    """What is shown of a film file: all of it, or what lies from one time to another."""

    file: str
    begin_s: float = 0.0
    end_s: float = float("inf")


class Frame(NamedTuple):
    """One frame of a film."""

    number: int
    time_s: float  # since the first; nan where the file does not say
    pixels: np.ndarray  # (H, W, 3) uint8


def film_frames(clip: Clip, settings: ImportSettings, report: Report) -> Iterator[Frame]:
    """The frames of a film or a moving picture that `every` and `fps` ask for.

    Raises SettingError: it can't be read, or has no frames.
    """
    still_format = clip.file.lower().endswith(suffixes()) and not _is_film(clip.file)
    frames = _moving(clip.file, report) if still_format else _film(clip, report)
    if settings.fps:
        timed = ((frame.time_s, frame) for frame in _checked_times(frames, settings))
        yield from (frame._replace(time_s=time_s) for time_s, frame in resampled(timed, settings.fps))
    else:
        yield from (frame for frame in frames if frame.number % settings.every == 0)


def _checked_times(frames: Iterator[Frame], settings: ImportSettings) -> Iterator[Frame]:
    for frame in frames:
        if np.isnan(frame.time_s):
            raise SettingError(f"does not say when its pages come, which fps={settings.fps:g} needs; leave fps out")
        yield frame


def _is_film(file: str) -> bool:
    return file.lower().endswith(VIDEOS)


def _moving(file: str, report: Report) -> Iterator[Frame]:
    """The frames of a moving picture."""
    for number, frame in enumerate(moving_frames(file)):
        for change in frame.changes:
            report.change(change, file)
        yield Frame(number, frame.time_s, frame.pixels)


def _film(clip: Clip, report: Report) -> Iterator[Frame]:
    try:
        import av
    except ImportError:
        raise SettingError("needs PyAV; pip install 'contiguity[video]'") from None
    file, whole = clip.file, clip == Clip(clip.file)
    number, first_s, last_s, gaps = -1, 0.0, 0.0, []
    try:
        with av.open(file) as container:
            stream = next((one for one in container.streams.video if not _is_cover(one)), None)
            if stream is None or stream.codec_context is None:  # its header is torn: decoding would crash
                raise OSError("it has no pictures, or its codec is unknown")
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate or 25)
            decoded = container.decode(stream) if whole else _between(container, stream, clip, 1 / rate)
            for number, frame in enumerate(decoded):
                time_s = number / rate if frame.time is None else float(frame.time)
                first_s = first_s if number else time_s
                gaps += [time_s - last_s] if number else []
                last_s = time_s
                if getattr(frame, "is_corrupt", False):
                    report.change(SPOILT, file)
                yield Frame(number, time_s - first_s, _shown(frame, stream, file, report))
    except (av.FFmpegError, IndexError, OSError, UnicodeDecodeError) as error:  # of a name in its header, the last
        reason = f"can't be read as a video ({error})"
        raise SettingError(
            f"{reason}; mend or remove it" if number < 0 else f"ends after {number + 1} frames, {reason}"
        ) from None
    if number < 0:
        between = "" if whole else f" from {clip.begin_s:g} to {clip.end_s:g} s, where an episode should be"
        raise SettingError(f"is a video with no frames{between}; remove it")
    if whole and stream.frames > number + 1 and "mp4" in container.format.name:  # others count ticks between frames too
        report.change(SHORT, file)
    if len(gaps) > 1 and max(gaps) > 1.5 * np.median(gaps):
        report.unevenly[file.rpartition("/")[2]] = None


def _between(container: Any, stream: Any, clip: Clip, frame_s: float) -> Iterator[Any]:
    """The decoded frames of a clip, from the key frame before it on; half a frame's time is rounding."""
    container.seek(int(clip.begin_s / stream.time_base), stream=stream)
    for frame in container.decode(stream):
        if frame.time is not None and frame.time >= clip.end_s - frame_s / 2:
            return
        if frame.time is not None and frame.time >= clip.begin_s - frame_s / 2:
            yield frame


def _is_cover(stream: Any) -> bool:
    return bool(int(getattr(stream, "disposition", 0)) & COVER)


def _shown(frame: Any, stream: Any, file: str, report: Report) -> np.ndarray:
    """A decoded frame (H, W, 3), with square pixels and upright."""
    aspect = float(stream.sample_aspect_ratio or 1)
    width, height = frame.width, frame.height
    if aspect > 1:
        width = round(width * aspect)
    elif 0 < aspect < 1:
        height = round(height / aspect)
    if (width, height) != (frame.width, frame.height):
        report.change(SQUARED, file)
    pixels = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    matrix = next((side for side in frame.side_data if side.type.name == "DISPLAYMATRIX"), None)
    turned = pixels if matrix is None else upright(pixels, np.frombuffer(matrix, np.int32))
    if turned is not pixels:
        report.change(TURNED, file)
    return turned


def upright(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Pixels (H, W, 3) turned and mirrored as a film's display matrix (9,) says, to the nearest quarter of a turn.

    The matrix is ISO 14496-12's `a b u c d v x y w`: a pixel at (x, y) is shown at (a x + c y, b x + d y).
    """
    if len(matrix) != DISPLAY_MATRIX:
        return pixels
    a, b, _, c, d = (int(number) for number in matrix[:5])
    if abs(b) > abs(a):
        turned, left, up = pixels.transpose(1, 0, 2), c < 0, b < 0
    else:
        turned, left, up = pixels, a < 0, d < 0
    if turned is pixels and not (left or up):
        return pixels
    return np.ascontiguousarray(turned[:: -1 if up else 1, :: -1 if left else 1])
