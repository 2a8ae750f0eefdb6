"""A picture is what every viewer shows, and whatever lies in a file, the error is one line."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from envs.errors import SettingError
from envs.images.decoding import DEEP, OVER_WHITE, PROFILED, TURNED, moves, moving_frames, picture, shown, suffixes

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
CORNERS = np.array([[RED, RED, GREEN, GREEN], [RED, RED, GREEN, GREEN], [BLUE] * 2 + [BLACK] * 2], np.uint8)
CORNERS = CORNERS.repeat(16, 0).repeat(16, 1)  # 64 wide and 48 high: red and green above blue and black
TURNS = {  # of each EXIF orientation: what undoes it
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x),
}


def saved(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif", "avif"])
def test_a_picture_stands_upright_whatever_its_orientation(tmp_path, kind, orientation):
    image, exif = Image.fromarray(CORNERS), Image.Exif()
    exif[0x0112] = orientation
    lossless = {"webp": {"lossless": True}, "jpg": {"quality": 98}, "avif": {"quality": 98}}.get(kind, {})
    frame = shown(saved(tmp_path / f"a.{kind}", image, exif=exif, **lossless))
    expected = TURNS[orientation](CORNERS)
    assert frame.pixels.shape == expected.shape
    inside = np.s_[8::16, 8::16]  # the middles, where compression changes least
    assert np.abs(frame.pixels[inside].astype(int) - expected[inside]).max() < 12
    if kind != "tif":  # which Pillow itself turns
        assert frame.changes == ((TURNED,) if orientation > 1 else ())


def test_what_is_transparent_is_white_and_hidden_colours_do_not_appear(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 0] = 200  # red under all of it
    pixels[0, 0, 3], pixels[1, 1, 3] = 255, 128
    whole = shown(saved(tmp_path / "a.png", Image.fromarray(pixels)))
    assert whole.changes == (OVER_WHITE,)
    assert whole.pixels[0, 0].tolist() == [200, 0, 0]
    assert whole.pixels[1, 1].tolist() == [227, 127, 127]
    assert (whole.pixels[2:] == 255).all()
    grey = np.array([[[10, 0], [10, 255]]], np.uint8)
    assert picture(saved(tmp_path / "la.png", Image.fromarray(grey)))[0].tolist() == [[255] * 3, [10] * 3]
    palette = Image.new("P", (2, 1))
    palette.putpixel((1, 0), 1)
    palette.putpalette([200, 0, 0, 0, 0, 200])
    file = saved(tmp_path / "p.png", palette, transparency=0)
    assert picture(file)[0].tolist() == [[255] * 3, [0, 0, 200]]


def test_what_is_opaque_is_not_said_to_be_changed(tmp_path):
    pixels = np.full((4, 4, 4), 255, np.uint8)
    assert shown(saved(tmp_path / "a.png", Image.fromarray(pixels))).changes == ()


def test_sixteen_bits_are_shown_with_eight(tmp_path):
    deep = np.array([[0, 257 * 3, 40000, 65535]], np.uint16)
    for kind in ("png", "tif", "pgm"):
        frame = shown(saved(tmp_path / f"a.{kind}", Image.fromarray(deep)))
        assert frame.pixels[0, :, 1].tolist() == [0, 3, 156, 255]
        assert frame.changes == (DEEP,)


def test_other_modes_are_shown_in_colour(tmp_path):
    for mode, expected in {"1": (255,) * 3, "L": (90,) * 3, "P": (200, 0, 0), "CMYK": (0, 255, 255)}.items():
        image = Image.new(mode, (4, 4), {"1": 1, "L": 90, "P": 0, "CMYK": (255, 0, 0, 0)}[mode])
        if mode == "P":
            image.putpalette([200, 0, 0])
        kind, options = ("jpg", {"quality": 100}) if mode == "CMYK" else ("png", {})
        file = saved(tmp_path / f"{mode}.{kind}", image, **options)
        assert np.abs(picture(file)[2, 2].astype(int) - expected).max() < 4


def test_colours_of_another_profile_become_those_of_the_screen(tmp_path):
    lab = io.BytesIO(ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes())
    frame = shown(saved(tmp_path / "a.png", Image.new("RGB", (4, 4), (90, 90, 90)), icc_profile=lab.getvalue()))
    assert frame.pixels.shape == (4, 4, 3)  # a profile that does not fit the picture is none
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert shown(saved(tmp_path / "b.png", Image.new("RGB", (4, 4), (90, 9, 9)), icc_profile=srgb)).changes == ()
    wide = srgb.replace(b"s\0R\0G\0B", b"w\0i\0d\0e").replace(b"sRGB", b"wide")
    frame = shown(saved(tmp_path / "c.png", Image.new("RGB", (4, 4), (90, 9, 9)), icc_profile=wide))
    assert frame.changes == (PROFILED,)
    assert np.abs(frame.pixels.astype(int) - (90, 9, 9)).max() < 3


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "avif"])
def test_a_moving_picture_has_all_its_frames_and_their_times(tmp_path, kind):
    frames = [Image.new("RGB", (16, 16), (40 * number, 0, 0)) for number in range(5)]
    options = {"duration": [100, 200, 100, 300, 100], "lossless": True} if kind != "avif" else {"duration": 100}
    file = saved(tmp_path / f"a.{kind}", frames[0], save_all=True, append_images=frames[1:], **options)
    assert moves(str(file))
    played = list(moving_frames(file))
    assert np.abs(np.array([frame.pixels[8, 8, 0] for frame in played]).astype(int) - [0, 40, 80, 120, 160]).max() < 8
    times = [0, 0.1, 0.3, 0.4, 0.7] if kind != "avif" else [0, 0.1, 0.2, 0.3, 0.4]
    assert [frame.time_s for frame in played] == pytest.approx(times)


def test_parts_of_a_moving_picture_that_are_transparent_are_white(tmp_path):
    clear = Image.new("RGBA", (16, 16), (200, 0, 0, 0))
    dot = clear.copy()
    dot.putpixel((3, 3), (0, 200, 0, 255))
    saved(tmp_path / "a.gif", clear, save_all=True, append_images=[dot], disposal=2, duration=100)
    first, second = moving_frames(tmp_path / "a.gif")
    assert (first.pixels == 255).all()
    assert second.pixels[3, 3].tolist() == [0, 200, 0]
    assert (np.delete(second.pixels.reshape(-1, 3), 3 * 16 + 3, 0) == 255).all()


def test_a_stack_of_pages_is_frames_without_times_and_a_still_is_one(tmp_path):
    pages = [Image.new("L", (8, 8), number) for number in range(3)] + [Image.new("L", (4, 4), 9)]
    saved(tmp_path / "a.tif", pages[0], save_all=True, append_images=pages[1:])
    played = list(moving_frames(tmp_path / "a.tif"))
    assert [frame.pixels[0, 0, 0] for frame in played] == [0, 1, 2]  # and no thumbnail
    assert np.isnan([frame.time_s for frame in played]).all()
    for kind in ("gif", "png", "webp", "tif"):
        assert not moves(str(saved(tmp_path / f"still.{kind}", pages[0])))


def test_everything_that_pillow_decodes_by_itself_is_a_picture():
    assert {".avif", ".jp2", ".jfif", ".tif", ".webp", ".bmp", ".mpo", ".png", ".qoi", ".tga"} <= set(suffixes())
    assert not {".pdf", ".eps", ".mpg", ".h5", ".wmf"} & set(suffixes())


def test_a_picture_whose_name_lies_is_decoded_and_no_program_is_run(tmp_path):
    assert picture(saved(tmp_path / "a.png", Image.new("RGB", (4, 4)), format="JPEG")).shape == (4, 4, 3)
    saved(tmp_path / "b.png", Image.new("RGB", (4, 4)), format="EPS")
    with pytest.raises(SettingError, match="can't be read, b.png"):
        picture(tmp_path / "b.png")


def png(pixels):
    """The bytes of a PNG whose chunks are whole."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows))]
    parts = [struct.pack(">I", len(data)) + of + data + struct.pack(">I", zlib.crc32(of + data)) for of, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + b"\0\0\0\0IEND\xaeB`\x82"


def originals():
    """Small pictures of many kinds, as bytes."""
    files = {"a.png": png(CORNERS)}
    frames = [Image.fromarray(CORNERS), Image.fromarray(CORNERS[::-1])]
    for kind in ("gif", "webp", "tif", "jpg", "bmp", "jp2", "avif", "tga", "qoi", "ico"):
        several = {"save_all": True, "append_images": frames[1:]} if kind in ("gif", "webp", "tif", "avif") else {}
        data = io.BytesIO()
        frames[0].save(data, Image.registered_extensions()[f".{kind}"], **several)
        files[f"a.{kind}"] = data.getvalue()
    return files


Image.init()
ORIGINALS = originals()


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(st.sampled_from(sorted(ORIGINALS)), st.data())
def test_a_damaged_picture_is_shown_or_named(tmp_path_factory, name, data):
    whole = bytearray(ORIGINALS[name])
    kind = data.draw(st.sampled_from(["flip", "cut", "zero"]))
    at = data.draw(st.integers(0, len(whole) - 1))
    if kind == "flip":
        whole[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del whole[at:]
    else:
        whole[at : at + 40] = bytes(len(whole[at : at + 40]))
    file = tmp_path_factory.getbasetemp() / name
    file.write_bytes(whole)
    moves(str(file))
    try:
        frames, message = [shown(file), *moving_frames(file)], name
    except SettingError as error:
        frames, message = [], str(error)
    assert name in message
    assert "\n" not in message
    assert all(frame.pixels.dtype == np.uint8 and frame.pixels.shape[2] == 3 for frame in frames)
