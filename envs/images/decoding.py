"""Decodes picture files as every viewer shows them: upright, in sRGB, and what is transparent over white."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps

from envs.command.text import printable
from envs.errors import SettingError

ELSEWHERE = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}  # which Pillow knows, and other programs decode
MOVING = {"GIF", "PNG", "WEBP", "AVIF", "FLI", "TIFF"}  # whose further frames are frames, and no thumbnails or layers
MAY_MOVE = (".gif", ".png", ".apng", ".webp", ".avif", ".avifs", ".fli", ".flc", ".tif", ".tiff")
ORIENTATION = 0x0112  # the EXIF tag
STILL_S = 0.1  # how long a viewer shows a frame that does not say how long
TURNED, OVER_WHITE = "turned upright, as their metadata say", "with transparent pixels, laid over white"
DEEP, PROFILED = "of 16 bits a channel, shown with 8", "of another colour profile, converted to sRGB"


class Shown(NamedTuple):
    """One frame as a viewer shows it."""

    pixels: np.ndarray  # (H, W, 3) uint8
    changes: tuple[str, ...]  # what was done to it beyond decoding: TURNED, OVER_WHITE, DEEP, PROFILED
    time_s: float = 0.0  # from the first frame on; nan where a file of several frames does not say


@cache
def suffixes() -> tuple[str, ...]:
    """The endings of all files that Pillow can decode here."""
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    Image.init()
    return tuple(sorted(end for end, kind in Image.registered_extensions().items() if kind in (*_formats(), "MPO")))


def picture(file: str | Path) -> np.ndarray:
    """One picture (H, W, 3) uint8, of a moving one the first. Raises SettingError as `shown`."""
    return shown(file).pixels


def squared(image: np.ndarray, size: int, *, fit: str) -> np.ndarray:
    """A picture (H, W, 3) as (size, size, 3): `crop` cuts its middle, `pad` puts black beside it."""
    whole = Image.fromarray(image)
    square = ImageOps.fit(whole, (size, size)) if fit == "crop" else ImageOps.pad(whole, (size, size))
    return np.asarray(square)


def shown(file: str | Path) -> Shown:
    """One picture, of a moving one the first. Raises SettingError, whose message the caller completes."""
    with _opened(file) as image:
        return _as_shown(image, file)


def shown_bytes(content: bytes, name: str) -> Shown:
    """One picture, of the bytes of a file of this name. Raises SettingError as `shown`."""
    with _opened(BytesIO(content), name) as image:
        return _as_shown(image, name)


def moving_frames(file: str | Path) -> Iterator[Shown]:
    """Every frame of a picture that moves, or all pages of its first's size. Raises SettingError as `shown`."""
    with _opened(file) as image:
        first = int(bool(image.info.get("default_image")))  # of a PNG, for viewers that show no motion
        time_s, size = 0.0, None
        for number in range(first, getattr(image, "n_frames", 1)):
            image.seek(number)
            if size not in (None, image.size):
                continue  # a page that is a thumbnail of another
            size = image.size
            frame = _as_shown(image, file)
            duration = image.info.get("duration", 0) / 1000 or STILL_S
            yield frame._replace(time_s=np.nan if image.format == "TIFF" else time_s)
            time_s += duration


def moves(file: str) -> bool:
    """Whether a picture file has several frames; not where it is torn."""
    if not file.lower().endswith(MAY_MOVE):
        return False
    try:
        if file.lower().endswith(".png") and (known := _png_moves(file)) is not None:
            return known
        with _opened(file) as image:
            return image.format in MOVING and getattr(image, "n_frames", 1) > 1
    except SettingError:
        return False


def over_white(pixels: np.ndarray) -> np.ndarray:
    """Pixels (..., 4) of uint8 RGBA as (..., 3) over white."""
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


@cache
def _formats() -> tuple[str, ...]:
    """The formats that are tried, whatever a file is called."""
    Image.init()
    return tuple(kind for kind in Image.ID if kind not in ELSEWHERE)


@contextmanager
def _opened(file: str | Path | BytesIO, name: str = "") -> Iterator[Image.Image]:
    """A picture file, or one in memory; what Pillow raises for a torn one becomes a SettingError."""
    suffixes()  # of formats that others register
    try:
        with Image.open(file, formats=_formats()) as image:
            yield image
    except (SettingError, MemoryError):
        raise
    except Exception:  # of a torn file each plugin raises what it likes
        name = printable(name or Path(str(file)).name)
        raise SettingError(f"holds a picture that can't be read, {name}; mend or remove it") from None


def _as_shown(image: Image.Image, file: str | Path) -> Shown:
    """The frame at which an open picture is."""
    image.load()
    changes = []
    upright = _upright(image)
    if upright is not image:
        changes.append(TURNED)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        grey = (np.asarray(upright).astype(np.uint32) >> 8).astype(np.uint8)  # as Pillow does to 16 bits of colour
        return Shown(np.repeat(grey[..., None], 3, 2), (*changes, DEEP))
    if image.mode[0] in "IF":  # of what is black and white there, no two viewers agree
        name = printable(Path(file).name)
        raise SettingError(f"holds a picture of 32 bits a pixel's channel, {name}; store it with 8 or 16")
    converted = _in_srgb(upright)
    if converted is not upright:
        changes.append(PROFILED)
    if converted.has_transparency_data:
        pixels = np.asarray(converted.convert("RGBA"))
        if (pixels[..., 3] < 255).any():
            return Shown(over_white(pixels), (*changes, OVER_WHITE))
    return Shown(np.asarray(converted.convert("RGB")), tuple(changes))


def _upright(image: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation says it is to be held; itself where it says nothing."""
    try:
        if image.getexif().get(ORIENTATION, 1) == 1:
            return image
        return ImageOps.exif_transpose(image) or image
    except Exception:  # metadata that are torn, of which the pixels may well be sound
        return image


def _in_srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB where it carries another colour profile; itself where not."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK") or "transparency" in image.info:
        return image
    if b"sRGB" in profile or b"s\0R\0G\0B" in profile:  # which is how a profile writes its own name
        return image
    try:
        mode, srgb = image.mode.replace("CMYK", "RGB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, BytesIO(profile), srgb, outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError):  # a profile that is torn, or of other colours than the picture
        return image


def _png_moves(file: str) -> bool | None:
    """Whether a PNG says so, as it must before its pixels; None where it is no PNG. A tenth of opening it."""
    try:
        with open(file, "rb") as stream:  # noqa: PTH123  of a hundred thousand files
            if stream.read(8) != b"\x89PNG\r\n\x1a\n":
                return None
            while len(header := stream.read(8)) == 8 and header[4:] not in (b"IDAT", b"IEND"):
                if header[4:] == b"acTL":
                    return True
                stream.seek(int.from_bytes(header[:4], "big") + 4, 1)
            return False
    except OSError:
        return None
