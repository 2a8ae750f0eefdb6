"""Settings that contradict one another, or can't work, found before any work."""

import math
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from envs.devices import device
from envs.errors import SettingError, unknown
from envs.gaze import gaze
from runs.config.composing import OWN, keys
from runs.evaluation import transfer
from runs.evaluation.evaluation import known_probes
from runs.evaluation.features import FEATURES
from runs.evaluation.probes.registry import find_probe
from runs.loggers import registry as loggers
from streams.settings import CHOICES

LEAST = {"run.log_every": 1, "run.save_every": 1, "run.keep": 1, "eval.every": 0, "watch.every": 0, "eval.samples": 0}
LEAST |= {"eval.train": 2, "eval.validation": 2, "eval.test": 2}


def check(settings: DictConfig) -> None:
    """Goes through all of them. Raises SettingError: with the setting, its value and the way out."""
    if settings.env.num_worlds < 1:
        raise SettingError(f"env.num_worlds={settings.env.num_worlds} shows nothing; try 2 or more")
    for name in keys(settings):  # comparisons with NaN pass by what they are to find
        value = OmegaConf.select(settings, name)
        if isinstance(value, float) and not math.isfinite(value):
            raise SettingError(f"{name}={value} is no number to work with; give a finite one")
    gap, length = settings.pairs.gap, settings.env.episode_length
    if gap >= length:
        way_out = f"try {max(1, length // 4)}" if length > 1 else "try pairs=augmentation pairs.gap=0"
        raise SettingError(
            f"pairs.gap={gap} is longer than an episode (env.episode_length={length} frames), "
            f"so no pair would ever form; {way_out}"
        )
    for name, least in {"run.frames": settings.env.num_worlds, **LEAST}.items():
        value = OmegaConf.select(settings, name)
        if value is not None and value < least:
            raise SettingError(f"{name}={value} is too few; try {least} or more")
    if settings.stream.name not in CHOICES["stream"]:
        raise unknown("stream.name", settings.stream.name, CHOICES["stream"])
    _check_run(settings)
    _check_scores(settings)
    if settings.stream.name == "live":
        gaze(settings.stream.gaze)
    device(settings.device)


def _check_run(settings: DictConfig) -> None:
    """Where a run is kept and what it is known by."""
    run = settings.run
    loggers.check(run.loggers)
    if "://" in settings.results_dir:
        raise SettingError(
            f"results_dir={settings.results_dir} is a URL, and runs are written to folders; give one, and copy it "
            "there afterwards, where runs.show, runs.compare and runs.report read it"
        )
    if run.group is not None and (Path(run.group).name != run.group or run.group.startswith(".")):
        raise SettingError(f"run.group={run.group!r} must be a plain folder name; results_dir says where it lies")
    for group, part in OWN.items():
        if not OmegaConf.is_dict(settings[group]):
            raise SettingError(f"{group} is a YAML file without settings; write them as in examples/conf/{group}")
        for name, use in {part: "names the part that is used", "name": "tells a run from others"}.items():
            if not settings[group].get(name):
                raise SettingError(
                    f"{group}.{name} is missing, which {use}; add it to the YAML file, as in examples/conf"
                )
    if OmegaConf.get_type(settings.network) is dict:
        raise SettingError("network is a YAML file without its defaults; begin it as those in examples/conf/network do")


def _check_scores(settings: DictConfig) -> None:
    if settings.eval.every and settings.env.get("categories") == 1:
        raise SettingError("env.categories=1 shows one class only, which leaves a probe nothing to tell apart; try 2")
    for setting in ("probes", "ends"):
        for name in settings.eval[setting]:
            if find_probe(name) not in known_probes():
                raise unknown(f"eval.{setting}", name, known_probes())
    if "linear" not in settings.eval.probes:
        raise SettingError("eval.probes leaves out linear, which tables and curves are made of; add it")
    if settings.eval.features not in FEATURES:
        raise unknown("eval.features", settings.eval.features, FEATURES)
    transfer.check(settings)
