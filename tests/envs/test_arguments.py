from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.arguments import typed
from envs.errors import SettingError


@typed
def job(
    source: str | Path | Sequence[str | Path],
    *,
    gap: int = 4,
    rate: float = 1.0,
    symmetric: bool = False,
    settings: Mapping[str, Any] | None = None,
    act: Callable[[int], int] | None = None,
    **more: Any,
) -> Any:
    return gap


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": None}, "source is None; give text, or a path, or a list, each text or a path"),
        ({"source": [1]}, r"source=\[1\] does not fit"),
        ({"gap": "4"}, "gap='4' is a str; give a whole number, as in 4"),
        ({"gap": 2.5}, "gap=2.5 is a float"),
        ({"gap": True}, "gap=True is a bool"),
        ({"gap": np.zeros(100)}, "^gap is a ndarray"),
        ({"rate": "fast"}, "give a number, as in 0.5"),
        ({"symmetric": "no"}, "symmetric='no' is a str; give True or False"),
        ({"settings": "a=1"}, "settings='a=1' is a str; give a dict"),
        ({"act": 3}, "act=3 is an int; give a function, or None"),
    ],
)
def test_an_argument_of_another_type_is_one_line(arguments, message):
    with pytest.raises(SettingError, match=message) as raised:
        job(**{"source": "a.zarr"} | arguments)
    assert "\n" not in str(raised.value)


def test_what_fits_is_passed_on_and_numbers_of_numpys_as_pythons():
    assert job("a.zarr") == 4
    assert job(["a", Path("b")], rate=1, settings={}, act=abs, more=3) == 4
    assert type(job("a", gap=np.int64(3), rate=np.float32(2), symmetric=np.bool_(True))) is int
    with pytest.raises(TypeError, match="missing 1 required"):
        job()
