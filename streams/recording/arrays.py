"""A recording as arrays: read when they are indexed, checked as they are read, nothing kept.

>>> recording = streams.open("walk.zarr")
>>> recording["images"][100:110].shape              # steps, worlds, height, width, colours
>>> recording.episode(17)["images"]                 # (T, H, W, 3) of one episode
>>> recording.to_xarray().light_intensity.plot()
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from envs.arguments import fitting
from envs.errors import SettingError, unknown
from streams.recording.reader import Recording

if TYPE_CHECKING:
    import xarray


class Episode(NamedTuple):
    """Where a recording shows one episode."""

    number: int
    world: int
    first: int  # step
    past: int  # step after its last
    category: int  # -1 where the recording does not tell


class LazyArray:
    """An array (T, N, ...) of a recording; indexing it reads, checks and returns a numpy array."""

    def __init__(self, recording: Recording, name: str):
        layout = recording.layouts[name]
        self._recording, self.name, self.dtype = recording, name, np.dtype(layout.kind)
        self.shape = (recording.committed, *layout.shard[1:])

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """What numpy would return for an index whose first part chooses steps; only those are read."""
        of_steps, *rest = index if isinstance(index, tuple) else (index,)
        if of_steps is Ellipsis:
            of_steps, rest = slice(None), [Ellipsis, *rest]
        steps = np.arange(len(self))[of_steps]
        if steps.ndim == 0:
            return self._read(steps[None])[(0, *rest)]
        return self._read(steps)[(slice(None), *rest)]

    def _read(self, steps: np.ndarray) -> np.ndarray:
        """(m, N, ...) at steps (m,)."""
        if len(steps) and (np.diff(steps) == 1).all():
            return self._recording.span(int(steps[0]), int(steps[-1]) + 1, self.name)
        count = self.shape[1]
        places = np.repeat(steps, count), np.tile(np.arange(count), len(steps))
        rows = self._recording.gather(*places, names=[self.name])[self.name]
        return rows.reshape(len(steps), *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def __repr__(self) -> str:
        return f"<{self.name} {self.shape} {self.dtype} of {self._recording.path}>"


class RecordedArrays:
    """A recording: `steps` of `worlds` worlds, and arrays by name.

    Names are `images` (T, N, H, W, 3) uint8, `episode` (T, N) int64, and each of `factors` (T, N, ...).
    """

    def __init__(self, path: str):
        """Raises SettingError: no recording is there, or it contradicts itself."""
        self._recording = recording = Recording(path, setting="path")
        self.path, self.steps, self.worlds = path, recording.committed, recording.worlds
        self.size: tuple[int, int] = recording.size  # height and width of a frame
        self.factors: list[str] = list(recording.facts["factors"])
        self.env: dict[str, Any] = dict(recording.facts["env"])  # the settings of the world that was recorded
        self.seed: int = recording.facts["seed"]
        self.categories: list[str] = recording.categories  # names, where they are known

    def __getitem__(self, name: str) -> LazyArray:
        """The array of this name. Raises KeyError: there is none."""
        full = name if name in ("images", "episode") else f"factors/{name.removeprefix('factors/')}"
        if full not in self._recording.layouts:
            raise KeyError(f"{self.path} has no {name}; there are images, episode, {', '.join(self.factors)}")
        return LazyArray(self._recording, full)

    def keys(self) -> list[str]:
        """The names of the arrays."""
        return ["images", "episode", *self.factors]

    def category_number(self, category: int | str) -> int:
        """The number of a category, which may be given by name. Raises SettingError: none has this name."""
        if not isinstance(category, str):
            return fitting("category", category, int)
        if category not in self.categories:
            raise unknown("category", category, self.categories or ("numbers, as in 0",))
        return self.categories.index(category)

    def episodes(self, category: int | str | None = None) -> list[Episode]:
        """Where each episode lies, in the order of their beginnings; those of one category, by its number or name."""
        found = sorted(self._episodes(), key=lambda one: (one.first, one.world))
        number = None if category is None else self.category_number(category)
        return [one for one in found if number is None or one.category == number]

    def _episodes(self) -> Iterator[Episode]:
        if not self.steps:
            return
        numbers = self["episode"][:]
        labels = self["category"][:] if "category" in self.factors else np.full(numbers.shape, -1)
        for world in range(self.worlds):
            edges = np.flatnonzero(np.diff(numbers[:, world])) + 1
            for first, past in zip([0, *edges], [*edges, self.steps], strict=True):
                at = int(first), world
                yield Episode(int(numbers[at]), world, int(first), int(past), int(labels[at]))

    def episode(self, number: int) -> dict[str, np.ndarray]:
        """All arrays (T, ...) of one episode. Raises SettingError: none has this number."""
        places = [one for one in self.episodes() if one.number == number]
        if not places:
            raise SettingError(f"{self.path} shows no episode {number}; episodes() lists those it shows")
        return self.part(*places)

    def part(self, *places: Episode) -> dict[str, np.ndarray]:
        """All arrays (T, ...) of the frames at places that `episodes` gives, one after another.

        Raises SettingError: none, or something else.
        """
        if not places or not all(isinstance(one, Episode) for one in places):
            raise SettingError(
                f"part{places!r} takes what episodes() gives, or Episode(number, world, first, past, category); of "
                "steps, index an array: recording['images'][10:20]"
            )
        steps = np.concatenate([np.arange(one.first, one.past) for one in places])
        worlds = np.concatenate([np.full(one.past - one.first, one.world) for one in places])
        arrays = self._recording.gather(steps, worlds)
        return {name.removeprefix("factors/"): rows for name, rows in arrays.items()}

    def of_category(self, category: int | str) -> Iterator[dict[str, np.ndarray]]:
        """The episodes of one category, one after another, as `episode` gives each."""
        return (self.part(one) for one in self.episodes(category))

    def to_xarray(self) -> "xarray.Dataset":
        """The arrays with named axes step, world, ...; read, and checked, when they are used.

        Raises SettingError: xarray is not installed.
        """
        try:
            import xarray
            from xarray.core.indexing import LazilyIndexedArray
        except ImportError as error:
            raise SettingError("to_xarray() needs xarray; install contiguity[analysis]") from error
        data = {}
        for name in ("images", "episode", *self.factors):
            array = self[name]
            inner = tuple(f"{name}_{at}" for at in range(array.ndim - 2))
            axes = ("height", "width", "rgb") if name == "images" else inner
            data[name] = xarray.Variable(("step", "world", *axes), LazilyIndexedArray(_backend(array)))
        about = {"path": self.path, "seed": self.seed} | {f"env.{name}": str(value) for name, value in self.env.items()}
        return xarray.Dataset(data, attrs=about)

    def __repr__(self) -> str:
        return f"<recording {self.path}: {self.steps} steps of {self.worlds} worlds, {self.env.get('name')}>"


def _backend(array: LazyArray) -> Any:
    """An array as xarray wants a file's: indexed by one axis at a time."""
    from xarray.backends import BackendArray
    from xarray.core.indexing import IndexingSupport, explicit_indexing_adapter

    class Backend(BackendArray):
        shape, dtype = array.shape, array.dtype

        def __getitem__(self, key: Any) -> np.ndarray:
            return explicit_indexing_adapter(key, self.shape, IndexingSupport.BASIC, array.__getitem__)

    return Backend()
