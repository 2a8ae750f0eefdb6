"""What several tests of this folder share."""

import sys

import pytest

from runs import compare, report, show


@pytest.fixture(params=[show, compare, report], ids=["show", "compare", "report"])
def say(request, monkeypatch, capsys):
    """Runs a command on a folder: (status, stdout, stderr)."""

    def call(path):
        monkeypatch.setattr(sys, "argv", [request.param.__name__, str(path)])
        status = 0
        try:
            request.param.main()
        except SystemExit as left:
            status = left.code
        return status, *capsys.readouterr()

    call.reads_settings = request.param is not show
    call.reads_all = request.param is report
    return call
