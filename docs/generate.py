"""The pages of the reference that are made from the code: every setting, every choice, every public name."""

import importlib

import mkdocs_gen_files

from envs.command.help import settings_of
from learners.distributed import DistributedSettings
from learners.run import SCHEMAS, Settings
from runs.config import composing
from runs.config.choices import GROUPS, line_of
from runs.evaluation.evaluation import EvalSettings
from learners.diagnostics.monitor import MonitorSettings
from runs.launch.settings import RunSettings
from streams.importing import ImportSettings
from streams.record import RecordSettings
from streams.repair import RepairSettings

GROUPLESS = {"eval": EvalSettings, "watch": MonitorSettings, "run": RunSettings, "distributed": DistributedSettings}
PACKAGES = ("envs", "streams", "learners", "runs")


def cell(text: str) -> str:
    """Text inside a table."""
    return text.replace("|", "\\|")


def table(schema: type, prefix: str) -> list[str]:
    """The settings of a dataclass."""
    rows = ["| setting | type | default | |", "|---|---|---|---|"]
    for one in settings_of(schema):
        if one.name not in ("name", "id") or prefix == "run.":
            default = f"`{one.default}`" if one.default else ""
            rows.append(f"| `{prefix}{one.name}` | {cell(one.type)} | {cell(default)} | {cell(one.help)} |")
    return rows


def settings_page() -> str:
    """Every setting of every group, and the choices."""
    composing.register(SCHEMAS)
    choices = composing.choices()
    lines = ["# Settings", "", "`python -m learners.online --list GROUP=NAME` shows the same in a terminal.", ""]
    schemas: dict[str, dict[str, type]] = {}
    for (group, name), schema in SCHEMAS.items():
        if group:
            schemas.setdefault(group, {})[name.removesuffix("_schema")] = schema
    for group, what in GROUPS.items():
        lines += [f"## {group}", "", f"{what[0].upper()}{what[1:]}.", "", "| choice | |", "|---|---|"]
        lines += [f"| `{group}={name}` | {cell(line_of(group, name))} |" for name in choices[group]]
        for name, schema in schemas.get(group, {}).items():
            lines += ["", f"### {group}: {name}", "", *table(schema, f"{group}.")]
        lines.append("")
    for name, schema in GROUPLESS.items():
        lines += [f"## {name}", "", (schema.__doc__ or "").splitlines()[0], "", *table(schema, f"{name}."), ""]
    own = [one for one in settings_of(Settings) if one.name in ("seed", "device", "results_dir")]
    lines += ["## Without a group", "", "| setting | type | default | |", "|---|---|---|---|"]
    lines += [f"| `{one.name}` | {one.type} | `{one.default}` | {cell(one.help)} |" for one in own]
    others = {
        "streams.record": (RecordSettings, "record."),
        "streams.importing": (ImportSettings, ""),
        "streams.check": (RepairSettings, ""),
    }
    for command, (schema, prefix) in others.items():
        lines += ["", f"## python -m {command}", "", *table(schema, prefix)]
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """Every public name."""
    lines = ["# Python", "", "What stands here is stable; everything else may change.", ""]
    for package in PACKAGES:
        module = importlib.import_module(package)
        lines += [f"## {package}", "", (module.__doc__ or "").splitlines()[0], ""]
        for name in module.__all__:
            part = getattr(module, name)
            if name != "SettingError" or package == "envs":
                heading = f"      heading: {package}.{name}"
                lines += [f"::: {part.__module__}.{part.__qualname__}", "    options:", heading, ""]
    return "\n".join(lines)


for path, text in {"reference/settings.md": settings_page(), "reference/api.md": api_page()}.items():
    with mkdocs_gen_files.open(path, "w") as file:
        file.write(text)
