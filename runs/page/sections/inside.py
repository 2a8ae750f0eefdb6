"""Inside the network: collapse and alignment, as the monitor measured them."""

from typing import Any

from runs.analysis.reading import LoadedRun
from runs.page.charts import chart, over_time
from runs.page.section import section

TITLES = {  # of the monitor's numbers
    "effective_rank": "Effective rank of each block's output",
    "positive_distance": "Mean distance of a pair's two embeddings",
    "negative_distance": "Mean distance of embeddings of different episodes",
    "weight_norm": "Norm of the weights",
    "update_norm": "Norm of one update",
    "own_gradient": "Update · gradient of the rule's own loss (cosine)",
    "top_gradient": "Update · gradient of the loss at the top (cosine)",
    "feedback": "Feedback · forward weights (cosine)",
    "head_feedback": "Feedback · forward weights, in the head (cosine)",
}


@section(80, each_run=True)
def inside(run: LoadedRun) -> dict[str, Any] | None:
    """A chart for each number, a line for each block."""
    charts = []
    for key, title in TITLES.items():
        lines = [
            over_time(name.rpartition("/")[2].replace("block", "block "), [series], key)
            for name, series in run.series.items()
            if name.startswith(("watch/block", "alignment/block")) and key in series
        ]
        charts += chart(title, lines)
    return {"charts": charts} if charts else None
