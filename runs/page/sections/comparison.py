"""Groups beside one another: the tables of `runs.compare`, or why there are none."""

from typing import Any

from envs.errors import SettingError
from runs.analysis.comparison import compare
from runs.analysis.tables import explained, text_tables
from runs.page.section import Groups, section


@section(20)
def comparison(groups: Groups) -> dict[str, Any] | None:
    """All runs, where there are several."""
    runs = [run for group in groups.values() for run in group]
    if len(runs) < 2:
        return None
    try:
        compared = compare(runs)
    except SettingError as error:
        return {"text": f"Not set beside one another: {error}", "tables": []}
    return {"text": explained(compared), "tables": text_tables(compared)}
