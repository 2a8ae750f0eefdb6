"""A run's folder: results/NAME with its settings, versions, lock, checkpoints, metrics and pictures."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from envs.errors import SettingError
from runs.config.aliases import current_values, merged
from runs.store.files import DamagedFileError, read_bytes, read_json, read_lines, read_values
from streams.process.versions import versions
from streams.recording.lock import Lock, is_locked, lock_folder
from streams.recording.storage import replace

CHECKSUMS = "checksums.json"  # {run: what its metrics and checkpoints know it by, files: {name: [sha256, ...]}}
CONFIG, OVERRIDES, VERSIONS = ".hydra/config.yaml", ".hydra/overrides.yaml", "versions.json"
LOCK = "lock"
UNBORN = {"checkpoints", ".hydra", LOCK, VERSIONS, CHECKSUMS}  # all that a run killed while it was made can leave


class RunFolder:
    """The folder of a run that this process alone writes to; a context manager that lets go of it."""

    def __init__(self, path: Path):
        self.path, self.checkpoints, self.metrics = path, path / "checkpoints", path / "metrics.zarr"
        self._config = path / CONFIG
        self._lock: Lock | None = None

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
            written = {
                OVERRIDES: OmegaConf.to_yaml(OmegaConf.create(overrides)).encode(),
                VERSIONS: json.dumps(versions(), indent=2).encode(),
                CONFIG: OmegaConf.to_yaml(settings).encode(),  # last: now it is a run
            }
            self._vouch(uuid4().hex, {name: [_sum(data)] for name, data in written.items()})
            for file, data in written.items():
                replace(self.path / file, data)
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
    def is_being_written(self) -> bool:
        """Whether a process of this machine writes to it now."""
        try:
            return is_locked(self.path / LOCK)
        except OSError:
            return False

    @property
    def settings(self) -> DictConfig:
        """The settings that the run was begun with, defaults and all. Raises SettingError: the file is damaged."""
        try:
            return OmegaConf.create(self.values)
        except OmegaConfBaseException as error:
            raise DamagedFileError(self._config, str(error).splitlines()[0]) from error

    @property
    def values(self) -> dict[str, Any]:
        """The same as plain dicts, which is faster. Raises DamagedFileError."""
        return current_values(read_values(self._config))

    def settings_over(self, defaults: DictConfig) -> DictConfig:
        """The run's settings over these, which stand for what did not exist yet when the run was begun.

        Raises SettingError: the file is damaged, or of another version.
        """
        saved = self.settings
        for group in map(str, defaults):
            if group in saved and OmegaConf.is_dict(defaults[group]) and not OmegaConf.is_dict(saved[group]):
                raise DamagedFileError(self._config, f"{group} has no settings")
        try:
            settings = merged(defaults, saved)
        except OmegaConfBaseException as error:
            what = str(error).splitlines()[0]
            raise SettingError(f"{self.path} has settings that this version does not know ({what})") from error
        kinds, values = flat(defaults), flat(settings)
        for name in [name for name in kinds if name.startswith("env.")]:  # which no schema checks where it is replayed
            types = {type(kinds[name]), type(values.get(name))}
            if len(types) > 1 and types != {int, float} and kinds[name] is not None:
                raise DamagedFileError(self._config, f"it says {name}={values.get(name)}")
        return settings

    def moves_to(self, device: str) -> None:
        """From now on the run is on that device."""
        settings = self.settings
        if settings.get("device") != device:
            settings.device = device
            data = OmegaConf.to_yaml(settings).encode()
            sums = self._sums
            if _sum(read_bytes(self._config)) in sums.get(CONFIG, []):  # else it stays one that somebody has altered
                self._vouch(self.run_id or "", {**sums, CONFIG: [*sums[CONFIG], _sum(data)]})
            replace(self._config, data)

    @property
    def overrides(self) -> list[str]:
        """The overrides on its command line. Raises SettingError: the file is damaged."""
        return read_lines(self.path / OVERRIDES)

    @property
    def versions(self) -> dict[str, Any]:
        """The software that it was begun with. Raises SettingError: the file is damaged."""
        return read_json(self.path / VERSIONS)

    @property
    def run_id(self) -> str | None:
        """What its metrics and checkpoints know it by; None for a run that was begun before they did."""
        path = self.path / CHECKSUMS
        if not path.exists():
            return None
        run_id = read_json(path).get("run")
        if not isinstance(run_id, str):
            raise DamagedFileError(path, "it names no run")
        return run_id

    def check(self, run_id: str | None) -> list[str]:
        """A line for each file that was altered since the run began, whose metrics say `run_id`.

        Raises SettingError: the metrics are of another run.
        """
        path = self.path / CHECKSUMS
        try:
            known = self.run_id
            altered = [f"{self.path / name} {what}" for name, what in self._altered()]
        except DamagedFileError as error:
            return [f"{path} is damaged ({error.why}), which tells whether settings were altered"]
        if known is None:
            return [] if run_id is None else [f"{path} is missing, which tells whether settings were altered"]
        if run_id != known:
            raise SettingError(f"{self.metrics} and {path} are of two runs; put back the one that belongs there")
        return altered

    def vouch(self, run_id: str) -> None:
        """Writes down what its files are like, where nothing says so yet; its metrics know it by `run_id`."""
        if self.run_id is None:
            files = [name for name in (OVERRIDES, VERSIONS, CONFIG) if (self.path / name).is_file()]
            self._vouch(run_id, {name: [_sum(read_bytes(self.path / name))] for name in files})

    def _altered(self) -> Iterator[tuple[str, str]]:
        for name, sums in self._sums.items():
            try:
                if _sum(read_bytes(self.path / name)) not in sums:
                    yield name, "was altered since the run began"
            except DamagedFileError as error:
                yield name, f"is damaged ({error.why})"

    @property
    def _sums(self) -> dict[str, list[str]]:
        path = self.path / CHECKSUMS
        sums = read_json(path).get("files") if path.exists() else {}
        if not isinstance(sums, dict) or not all(isinstance(each, list) for each in sums.values()):
            raise DamagedFileError(path, "it names no files")
        if not sums.keys() <= {OVERRIDES, VERSIONS, CONFIG}:
            raise DamagedFileError(path, "it names other files")
        return sums

    def _vouch(self, run_id: str, sums: dict[str, list[str]]) -> None:
        replace(self.path / CHECKSUMS, json.dumps({"run": run_id, "files": sums}, indent=2).encode())

    def _take(self) -> None:
        (self.path / LOCK).touch()
        self._lock = lock_folder(self.path, file=LOCK, way_out="wait for it or stop it")

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


def flat(config: DictConfig | dict[str, Any]) -> dict[str, Any]:
    """Settings by their dotted names."""

    def walk(node: Any, name: str) -> Iterable[tuple[str, Any]]:
        if isinstance(node, dict):
            for key, value in node.items():
                yield from walk(value, f"{name}.{key}" if name else key)
        else:
            yield name, node

    return dict(walk(config if isinstance(config, dict) else OmegaConf.to_container(config), ""))


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
