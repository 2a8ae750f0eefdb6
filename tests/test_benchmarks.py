"""A benchmark is run now and then; that it still finds what it measures is seen at every change."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_finds_what_it_measures(script, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(script.parent), *sys.path])
    spec = spec_from_file_location(f"benchmark_{script.stem}", script)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert hasattr(module, "keep" if script.stem == "machine" else "main")
