"""One run as a table or as JSON: python -m runs.show results/NAME [--json]"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from envs.errors import SettingError
from runs.analysis.reading import load_numbers
from runs.analysis.summary import summary, summary_table


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m runs.show", description="One run as a table or as JSON.")
    parser.add_argument("run", type=Path, help="the run's folder, results/NAME")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    args = parser.parse_args()
    try:
        if args.json:
            print(json.dumps(summary(args.run), indent=2, allow_nan=False))  # noqa: T201
        else:
            Console().print(summary_table(load_numbers(args.run)))
    except (SettingError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(2)


if __name__ == "__main__":
    main()
