"""What the names of pictures say, and what they do not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.errors import SettingError
from streams.media.names import READINGS, read_names


def either(function, *arguments):
    """What a function returns, or the message of its SettingError."""
    try:
        return function(*arguments), ""
    except SettingError as error:
        return None, str(error)


def read(*names, folders=None, by="auto"):
    """{name: (episode, number)} of those that are taken, what the numbers are, and the reading in words."""
    files = [f"/x/{name}.png" for name in names]
    found = read_names(files, folders or [0] * len(files), by)
    rows = zip(found.files, found.episode, found.numbers, strict=True)
    return {names[at]: (episode, number) for at, episode, number in rows}, found.factor, found.reading


def test_a_number_alone_is_a_frame_number():
    rows, factor, reading = read("1000", "0998", "1001", "0999")
    assert rows == {"0998": (0, 998), "0999": (0, 999), "1000": (0, 1000), "1001": (0, 1001)}
    assert list(rows) == ["0998", "0999", "1000", "1001"]
    assert (factor, reading) == ("frame", "0998.png is frame 998")


@pytest.mark.parametrize(
    ("names", "factor", "episodes", "numbers"),
    [
        (["obj1__0", "obj1__5", "obj2__0", "obj2__5"], "angle", [0, 0, 1, 1], [0, 5, 0, 5]),
        (["obj1__100", "obj1__5"], "angle", [0, 0], [5, 100]),
        (["cup_-30", "cup_-15", "cup_0", "cup_30"], "angle", [0] * 4, [-30, -15, 0, 30]),
        (["cup-30", "cup-15", "cup0", "cup15"], "angle", [0] * 4, [-30, -15, 0, 15]),
        (["cup-10", "cup-20", "cup-30"], "angle", [0] * 3, [10, 20, 30]),
        (["cup+10", "cup-10"], "angle", [0] * 2, [-10, 10]),
        (["cup_22.5", "cup_45"], "angle", [0, 0], [22.5, 45]),
        (["cup 30deg", "cup 60deg"], "angle", [0, 0], [30, 60]),
        (["frame_1", "frame_10", "frame_2"], "frame", [0] * 3, [1, 2, 10]),
        (["shot1.0005", "shot1.0006"], "frame", [0, 0], [5, 6]),
        (["run1_0001", "run1_0002", "run2_0001", "run2_0002"], "frame", [0, 0, 1, 1], [1, 2, 1, 2]),
        (["-10", "-20", "10"], "angle", [0] * 3, [-20, -10, 10]),
        (["0.5", "0.25"], "time", [0] * 2, [0.25, 0.5]),
        (["cam_12-30-05", "cam_12-31-00.5", "cam_12-30-06"], "time", [0] * 3, [45005, 45006, 45060.5]),
        (["a_12h30m05s", "a_12h30m06s"], "time", [0] * 2, [45005, 45006]),
        (["IMG_20240501_123007_001", "IMG_20240501_123005"], "time", [0] * 2, [1714566605, 1714566607]),
        (["Screenshot 2024-05-01 at 12.30.05", "Screenshot 2024-05-01 at 12.30.06"], "time", [0] * 2, None),
        (["2024-05-01", "2024-05-02"], "time", [0] * 2, [1714521600, 1714608000]),
        (["1714566606.5", "1714566605123"], "time", [0] * 2, [1714566605.123, 1714566606.5]),
        (["2024-05-01_0001", "2024-05-01_0002", "2024-05-02_0001", "2024-05-02_0002"], "frame", [0, 0, 1, 1], None),
    ],
)
def test_names_are_read_as_a_person_would(names, factor, episodes, numbers):
    rows, read_as, _ = read(*names)
    assert read_as == factor
    assert [episode for episode, _ in rows.values()] == episodes
    assert numbers is None or [number for _, number in rows.values()] == pytest.approx(numbers)


def test_names_with_a_number_each_are_no_turntable():
    rows, factor, reading = read("carol12", "alice3", "bob7")
    assert [episode for episode, _ in rows.values()] == [0, 0, 0]
    assert factor == ""
    assert reading == "each folder is an episode, in the order of its names"


def test_each_folder_is_read_by_itself():
    rows, factor, _ = read("cat2", "cat1", "rex", "fido", "0001", "0002", folders=[0, 0, 1, 1, 2, 2])
    assert [(name, episode) for name, (episode, _) in rows.items()] == [
        ("cat1", 0), ("cat2", 0), ("rex", 1), ("fido", 1), ("0001", 2), ("0002", 2),
    ]  # fmt: skip
    assert factor == "frame"


@pytest.mark.parametrize(
    ("names", "both"),
    [
        (["obj1__0", "obj1__5", "cover"], ["obj1__0.png is object obj1, angle 0", "cover.png does not fit"]),
        (["12_30_05", "12_30_06"], ["object 12_30, angle 5 (names=turntable)", "time 12:30:05 (names=time)"]),
        (["12-30", "12-31"], ["object 12, angle 30 (names=turntable)", "time 12:30:00 (names=time)"]),
        (["a_12-30-05", "b"], ["time 12:30:05 (names=time)", "b.png does not fit", "names=frames"]),
        (["IMG_1", "IMG_2", "DSC_7"], ["IMG_1.png is object IMG, angle 1", "DSC_7.png does not fit"]),
    ],
)
def test_what_may_be_read_in_two_ways_is_asked_about(names, both):
    with pytest.raises(SettingError) as caught:
        read(*names)
    message = str(caught.value)
    assert all(reading in message for reading in (*both, "names=frames"))
    assert "\n" not in message


def test_the_setting_decides():
    names = ["12-30", "12-31", "13-00"]
    assert read(*names, by="time")[0] == {"12-30": (0, 45000), "12-31": (0, 45060), "13-00": (0, 46800)}
    assert read(*names, by="turntable")[0] == {"12-30": (0, 30), "12-31": (0, 31), "13-00": (1, 0)}
    assert [episode for episode, _ in read(*names, by="frames")[0].values()] == [0, 0, 0]
    assert [episode for episode, _ in read(*names, by="single")[0].values()] == [0, 1, 2]
    pattern = r"(?P<object>\d+)-(?P<frame>\d+)"
    assert read(*names, by=pattern)[0] == {"12-30": (0, 30), "12-31": (0, 31), "13-00": (1, 0)}
    assert read(*names, by=pattern)[1] == "frame"


def test_names_that_do_not_fit_the_setting_are_passed_over():
    files = ["/x/obj1__0.png", "/x/cover.png", "/x/obj1__5.png"]
    found = read_names(files, [0, 0, 0], "turntable")
    assert found.files == [0, 2]
    assert found.passed_over == [1]
    with pytest.raises(SettingError, match="has no time in any of 3 names, such as obj1__0.png; try names=frames"):
        read_names(files, [0, 0, 0], "time")


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.lists(st.from_regex(r"[a-c]?[-_ .]{0,2}[0-9]{0,4}[-_.:]?[0-9]{0,9}", fullmatch=True), min_size=1, max_size=8),
    st.sampled_from(READINGS),
    st.lists(st.integers(0, 1), min_size=8, max_size=8),
)
def test_whatever_names_there_are_each_picture_is_taken_once_or_named(names, by, folders):
    files = [f"/x/{name}{number}.png" if number else f"/x/{name}.png" for number, name in enumerate(names)]
    found, message = either(read_names, files, folders[: len(files)], by)
    if found is None:
        assert "names=frames" in message
        return
    assert sorted([*found.files, *found.passed_over]) == list(range(len(files)))
    assert sorted(set(found.episode)) == list(range(max(found.episode) + 1))
    assert found.episode == sorted(found.episode)
