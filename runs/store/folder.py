"""A run's folder: results/NAME with its settings, versions, lock, checkpoints, metrics and pictures."""

import fcntl
import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from envs.errors import SettingError
from runs.config.aliases import current_config, merged
from streams.process.versions import versions
from streams.recording.storage import replace

UNBORN = {"checkpoints", ".hydra", "lock", "versions.json"}  # all that a run killed while it was made can leave


class RunFolder:
    """The folder of a run that this process alone writes to; a context manager that lets go of it."""

    def __init__(self, path: Path):
        self.path, self.checkpoints, self.metrics = path, path / "checkpoints", path / "metrics.zarr"
        self._config = path / ".hydra" / "config.yaml"
        self._lock: IO[str] | None = None

    @classmethod
    def create(cls, results: Path, name: str, settings: DictConfig, overrides: list[str]) -> "RunFolder":
        """A new folder that knows its settings. Raises SettingError: no plain name, used, or not to be written."""
        if not name or Path(name).name != name or name.startswith("."):
            raise SettingError(f"run.name={name!r} must be a plain folder name; results_dir says where it lies")
        self = cls(results / name)
        if self.path.exists() and (self.is_run or {entry.name for entry in self.path.iterdir()} - UNBORN):
            raise SettingError(
                f"run.name={name} is used: {self.path} is not empty; choose another name, or run.resume={self.path}"
            )
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self._config.parent.mkdir(exist_ok=True)
            self._take()
            replace(self._config.with_name("overrides.yaml"), OmegaConf.to_yaml(OmegaConf.create(overrides)).encode())
            replace(self.path / "versions.json", json.dumps(versions(), indent=2).encode())
            replace(self._config, OmegaConf.to_yaml(settings).encode())  # last: now it is a run
        except OSError as error:
            if self._lock:
                self._lock.close()
            raise SettingError(
                f"results_dir={results} cannot be written ({error.strerror}); choose another results_dir"
            ) from error
        return self

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """The folder of a run to go on with. Raises SettingError: no run is there, or another process writes to it."""
        self = cls(path)
        if not self.is_run:
            raise SettingError(f"run.resume={path} is no run; give the folder of one, as in results/NAME")
        self._take()
        return self

    @property
    def is_run(self) -> bool:
        """Whether a run has begun here: its settings are the last thing a new folder is given."""
        return self._config.is_file()

    @property
    def settings(self) -> DictConfig:
        """The settings that the run was begun with, defaults and all. Raises SettingError: the file is damaged."""
        try:
            return current_config(OmegaConf.load(self._config))
        except YAMLError as error:
            raise SettingError(f"{self._config} is damaged; leave its run out, or mend the file") from error

    def settings_over(self, defaults: DictConfig) -> DictConfig:
        """The run's settings over these, which stand for what did not exist yet when the run was begun."""
        try:
            return merged(defaults, self.settings)
        except OmegaConfBaseException as error:
            what = str(error).splitlines()[0]
            raise SettingError(f"{self.path} has settings that this version does not know ({what})") from error

    def moves_to(self, device: str) -> None:
        """From now on the run is on that device."""
        settings = self.settings
        if settings.device != device:
            settings.device = device
            replace(self._config, OmegaConf.to_yaml(settings).encode())

    @property
    def overrides(self) -> list[str]:
        """The overrides on its command line."""
        return list(OmegaConf.load(self._config.with_name("overrides.yaml")))

    @property
    def versions(self) -> dict[str, Any]:
        """The software that it was begun with."""
        return json.loads((self.path / "versions.json").read_text())

    def _take(self) -> None:
        self._lock = lock = (self.path / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it, however the process ends
        except BlockingIOError:
            lock.close()
            raise SettingError(f"{self.path} is being written by another process; wait for it or stop it") from None

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_) -> None:
        if self._lock:
            self._lock.close()


def differences(saved: DictConfig, asked: DictConfig, *, ignore: Iterable[str] = ()) -> list[str]:
    """The settings that differ, as lines `learner.lr: 0.001 in the run, 0.002 asked for`."""
    before, now = flat(saved), flat(asked)
    names = [name for name in sorted({*before, *now} - set(ignore)) if before.get(name) != now.get(name)]
    return [f"{name}: {before.get(name, 'absent')} in the run, {now.get(name, 'absent')} asked for" for name in names]


def flat(config: DictConfig) -> dict[str, Any]:
    """Settings by their dotted names."""

    def walk(node: Any, name: str) -> Iterable[tuple[str, Any]]:
        if isinstance(node, dict):
            for key, value in node.items():
                yield from walk(value, f"{name}.{key}" if name else key)
        else:
            yield name, node

    return dict(walk(OmegaConf.to_container(config, resolve=True), ""))
