"""To repeat it: the command, the software, the weights' checksum, and all settings."""

import shlex
from typing import Any

from runs.analysis.reading import LoadedRun
from runs.page.section import section
from runs.store.folder import RunFolder


@section(100, each_run=True)
def repeat(run: LoadedRun) -> dict[str, Any]:
    """All that another run needs to come to the same weights."""
    folder = RunFolder(run.path)
    return {
        "command": f"python -m learners.online {shlex.join(folder.overrides)}".strip(),
        "versions": ", ".join(f"{name} {version}" for name, version in folder.versions.items() if version is not None),
        "sha": run.facts.get("weights_sha256", "unknown"),
        "settings": [(name, value) for name, value in run.settings.items() if value is not None],
    }
