"""Scores the encoder of a run on other data: python -m runs.score results/NAME own.npz

The work is done in `learners.score`, since no module of this package may know how a network is made.
"""

import runpy


def main() -> None:
    """The command."""
    runpy.run_module("learners.score", run_name="__main__")


if __name__ == "__main__":
    main()
