import shutil

import pytest

from envs.errors import SettingError
from runs.analysis.reading import find, load
from tests.helpers.runs import fake_run


def test_runs_are_found_in_folders_of_any_depth_and_by_patterns(tmp_path):
    paths = [fake_run(tmp_path / "sweep", seed=seed) for seed in range(2)] + [
        fake_run(tmp_path / "deep" / "er", seed=2)
    ]
    assert find([str(tmp_path)]) == [paths[2], *paths[:2]]
    assert find([str(tmp_path / "sweep" / "*")]) == paths[:2]
    assert find([str(paths[1]), str(tmp_path / "sweep")]) == [paths[1], paths[0]]
    with pytest.raises(SettingError, match="checkpoints holds no run"):
        find([str(paths[0] / "checkpoints")])


def test_a_run_of_a_sweep_that_has_no_number_yet_is_passed_over(tmp_path):
    one, begun = fake_run(tmp_path, seed=0), fake_run(tmp_path, seed=1)
    shutil.rmtree(begun / "metrics.zarr")
    assert find([str(tmp_path)]) == [one]
    with pytest.raises(SettingError, match=f"{begun} was begun and has no numbers yet; run.resume={begun}"):
        load(*find([str(begun)]))
