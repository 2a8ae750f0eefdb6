"""What each rule uses and costs, measured: python -m learners.audit [learner=bp,dtp] [loss=...] [--json | --markdown]

Weight transport, update locking and other rows are found by perturbation (learners/diagnostics/dependence.py), the
rest is counted (learners/diagnostics/costs.py). All rules by default, with the loss, network and size of the settings.
"""

import argparse
import json
import sys
from itertools import product
from typing import Any

import torch
from omegaconf import DictConfig
from rich.table import Table

from envs.errors import SettingError
from learners.diagnostics.costs import extra_weights, forward_weights, macs, parts, phases, stored_activations
from learners.diagnostics.dependence import other_rows, update_locking, weight_transport
from learners.rules.base import Learner
from learners.run import SCHEMAS, learner_of, remembers, validate
from runs.config import composing
from runs.launch.validate import check
from streams.process.terminal import Terminal, say
from streams.types import Pairs

COSTED = 128  # pairs of an update whose costs are counted
SMALL = 16  # pixels of the pictures that perturbations are tried on, where the network allows
HEADINGS = ("weight transport", "update locking", "other rows", "phases", "extra weights", "MACs", "stored")
LEGEND = (
    "Weight transport: errors or targets come down by forward weights. Update locking: a block waits for later ones. "
    "Other rows: a row's part of an update depends on other rows of the batch. Phases: sweeps up and down. Extra "
    "weights: beyond the blocks' and the top head's. MACs, and numbers stored for the way back: an update's, a pair."
)


def audit(learner: Learner, pairs: Pairs, *, small: Learner, few: Pairs) -> dict[str, Any]:
    """All the measurements: costs of `learner` on `pairs`, and what `small`, of the same rule, uses on a `few` pairs.

    `few` are plain enough not to fill a layer's whole input (see `weight_transport`); both are in float64.
    """
    return {
        "weight_transport": weight_transport(small, few),
        "update_locking": update_locking(small, few),
        "other_rows": other_rows(small, few),
        "phases": phases(small, few),
        "extra_weights": extra_weights(learner),
        "forward_weights": forward_weights(learner),
        "macs": macs(learner, pairs),
        "stored_activations": stored_activations(learner, pairs),
    }


def colours(rows: int, *, size: int) -> Pairs:
    """Pairs of pictures of one colour each, every one another (B, 3, size, size)."""
    draws = torch.Generator().manual_seed(0)
    views = torch.rand(2, rows, 3, 1, 1, generator=draws).expand(-1, -1, -1, size, size)
    first, second = (view.contiguous(memory_format=torch.channels_last) for view in views)
    return Pairs(first, second, torch.ones(rows, dtype=torch.int64), torch.arange(rows), rows)


def audited(settings: DictConfig) -> dict[str, Any]:
    """The audit of the rule, loss and network that the settings ask for."""
    check(settings)
    validate(settings)
    if settings.learner.schedule == "untrained":
        raise SettingError(f"learner={settings.learner.name} learns nothing, so there is nothing to audit; try bp")
    settings.device, size, remembering = "cpu", settings.env.size, remembers(settings)
    learner = learner_of(settings)
    settings.env.size = max(SMALL, learner.network.spec.stride())
    small = learner_of(settings)
    for part in parts(small):
        part.double()
    few = colours(3, size=settings.env.size)
    assert few.first is not None
    few = few._replace(first=few.first.double(), second=few.second.double())
    pairs = colours(COSTED, size=size)
    shown = shown_before if remembering else after_a_batch
    return audit(learner, shown(learner, pairs), small=small, few=shown(small, few))


def after_a_batch(learner: Learner, pairs: Pairs) -> Pairs:
    """The same pairs, once a learner was shown a darker batch, for a loss may keep what that was like."""
    assert pairs.first is not None
    learner.learn(pairs._replace(first=pairs.first / 2, second=pairs.second / 2))
    return pairs


def shown_before(learner: Learner, pairs: Pairs) -> Pairs:
    """The later views alone, once a learner that remembers was shown other episodes and the earlier views."""
    assert pairs.first is not None
    learner.learn(pairs._replace(first=None, second=pairs.second / 2, episode=pairs.episode - len(pairs.episode)))
    learner.learn(pairs._replace(first=None, second=pairs.first))
    return pairs._replace(first=None)


def audits(overrides: list[str]) -> dict[str, dict[str, Any]]:
    """An audit for each combination of the values that overrides give, by its name; all rules where none is given."""
    composing.register(SCHEMAS)
    values = composing.sweep(overrides).values
    names = [name for name in composing.choices()["learner"] if name != "none"]
    values.setdefault("learner", [f"learner={name}" for name in names])
    varied = [name for name, each in values.items() if len(each) > 1] or ["learner"]
    rows = {}
    for combination in product(*values.values()):
        name = " ".join(text.partition("=")[2] for key, text in zip(values, combination, strict=True) if key in varied)
        rows[name] = audited(composing.read(list(combination)))
    return rows


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table, as text."""
    transport = {"no": "no", "head": "in the head", "blocks": "yes"}
    return [
        transport[row["weight_transport"]],
        *("yes" if row[name] else "no" for name in ("update_locking", "other_rows")),
        str(row["phases"]),
        f"{100 * row['extra_weights'] / row['forward_weights']:.0f} %",
        f"{row['macs'] / 1e6:.1f} M",
        f"{row['stored_activations'] / 1e3:.0f} k",
    ]


def markdown(rows: dict[str, dict[str, Any]]) -> str:
    """The table for a README."""
    lines = [["rule", *HEADINGS], ["---"] * (1 + len(HEADINGS))]
    lines += [[f"`{name}`", *cells(row)] for name, row in rows.items()]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", LEGEND])


def table(rows: dict[str, dict[str, Any]]) -> Table:
    """The table for a terminal."""
    sheet = Table(title="What an update uses and costs", title_justify="left", caption=LEGEND, caption_justify="left")
    sheet.add_column("rule", no_wrap=True)
    for heading in HEADINGS:
        sheet.add_column(heading, justify="right", min_width=max(map(len, heading.split())))
    for name, row in rows.items():
        sheet.add_row(name, *cells(row))
    return sheet


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m learners.audit", description="What each rule uses and costs.")
    parser.add_argument("overrides", nargs="*", help="settings as in learners.online; a,b for several")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    form.add_argument("--markdown", action="store_true", help="a Markdown table")
    args = parser.parse_args()
    try:
        rows = audits(args.overrides)
    except SettingError as error:
        say([error])
        sys.exit(2)
    if args.json or args.markdown:
        print(json.dumps(rows, indent=2) if args.json else markdown(rows))  # noqa: T201
    else:
        Terminal().print(table(rows))


if __name__ == "__main__":
    main()
