"""Tests of meshes keep theirs in a cache of their own."""

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    where = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr("envs.meshes.cache.folder", lambda: where)
    return where
