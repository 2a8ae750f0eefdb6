"""Several ranks make the update of one process that has all rows."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from envs.errors import SettingError
from learners.distributed import check_network
from learners.online import PROGRAM
from runs.launch.start import start
from runs.store.checkpoint import load_newest
from streams.process.ranks import JoinedRanks, Ranks, join
from streams.recording.reader import Recording
from tests.helpers.learners import learner
from tests.helpers.online import assert_same_run, outcome
from tests.helpers.ranks import ended, start_ranks
from tests.helpers.s3 import bucket, environment
from tests.helpers.shared_runs import KINDS, ORDERS, QUICK, replay, run
from tests.helpers.shared_updates import LOCAL, LOSSES, ROWS, weights_after

WITHIN = {"float32": 1e-4, "float64": 1e-11}  # the largest relative difference of a weight after ten updates


def weights_of_ranks(folder, kind, updates, *shares):
    """What each rank wrote; the shares of each update as in `5,7`."""
    size = shares[0].count(",") + 1
    command = ["-m", "tests.helpers.shared_updates", folder, kind, updates, *shares]
    for status, _, errors in ended(start_ranks(*command, size=size)):
        assert status == 0, errors
    return [torch.load(folder / f"{rank}.pt") for rank in range(size)]


def difference(weights, expected):
    """The largest relative difference of a tensor."""
    pairs = zip(weights, expected, strict=True)
    return max(float((a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-12)) for a, b in pairs)


@pytest.mark.parametrize(
    ("kind", "updates", "shares"),
    [("float32", 10, ["6,6"]), ("float64", 10, ["5,7", "12,0", "1,11"]), ("float64", 3, ["3,3,3,3", "4,0,5,3"])],
)
def test_ranks_come_to_the_weights_of_one_process_and_have_the_same_bits(tmp_path, kind, updates, shares):
    alone = weights_after(Ranks(), [[ROWS]], dtype=getattr(torch, kind), updates=updates)
    ranks = weights_of_ranks(tmp_path, kind, updates, *shares)
    for negatives, weights in ranks[0].items():
        for name in weights:
            for other in ranks[1:]:
                assert all(map(torch.equal, weights[name], other[negatives][name])), (negatives, name)
    worst = {name: difference(ranks[0]["gathered"][name], alone[name]) for name in alone}
    assert max(worst.values()) < WITHIN[kind], worst
    if kind == "float64":
        apart = {name: difference(ranks[0]["local"][name], alone[name]) for name in LOCAL}
        assert min(apart.values()) > 1e-6, apart


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of many runs of two ranks, and what they came to."""
    folder = tmp_path_factory.mktemp("runs")
    run(folder, "alone", "run.frames=48")
    run(folder, "alone_fifo", "run.frames=48", "memory=fifo", "memory.capacity=32")
    with bucket("ranks") as options:
        ranks = start_ranks("-m", "tests.helpers.shared_runs", folder, "s3://ranks", env=environment(options))
        for status, _, errors in ended(ranks):
            assert status == 0, errors
        outcomes = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
        assert outcomes[0] == outcomes[1]
        yield folder, outcomes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_that_were_stopped_by_a_signal_to_one_end_as_those_that_were_not(runs, kind):
    folder, outcome_of = runs
    assert outcome_of["statuses"][kind] == [0, 128 + signal.SIGTERM, 0]
    straight, halves = (outcome(folder, f"{kind}_{name}") for name in ("straight", "halves"))
    assert len(straight[1]["parts"]) == 1
    assert_same_run(straight, halves)  # the checksums of the other rank's part among them


def test_a_recording_of_ranks_is_the_one_of_one_process_and_each_replays_its_rows(runs, tmp_path):
    folder, outcome_of = runs
    assert outcome_of["recorded"] == 0
    assert outcome_of["replayed"] == [0, 0]
    run(tmp_path, "recording", f"stream.record={tmp_path}/walk.zarr")
    ours, alone = (Recording(str(place / "walk.zarr")) for place in (folder, tmp_path))
    assert ours.facts["state"] == alone.facts["state"]
    assert ours.identity == alone.identity
    for name in alone.names:
        assert np.array_equal(ours.span(0, 12, name), alone.span(0, 12, name))
    for order in ORDERS:
        replay(tmp_path, order, order, 64)
        assert apart(folder / order, tmp_path / order) < WITHIN["float32"]


def test_a_recording_of_ranks_in_a_bucket_is_that_on_the_disk_and_each_replays_its_rows(runs):
    folder, outcome_of = runs
    assert (outcome_of["recorded_there"], outcome_of["replayed_there"]) == (0, 0)
    here, there = Recording(str(folder / "walk.zarr")), Recording("s3://ranks/walk.zarr")
    assert here.identity == there.identity
    for name in here.names:
        assert np.array_equal(here.span(0, 12, name), there.span(0, 12, name))
    assert outcome(folder, "there")[0] == outcome(folder, ORDERS[0])[0]


def test_more_or_fewer_ranks_go_on_with_the_same_frames_where_there_is_no_memory(runs, tmp_path, capsys):
    folder, outcome_of = runs
    run(tmp_path, "alone")
    assert outcome_of["errors"]["alone"] == "0"
    assert apart(folder / "alone", tmp_path / "alone") < WITHIN["float32"]
    capsys.readouterr()
    assert start([f"run.resume={folder}/remembered_straight", "run.frames=144"], PROGRAM) == 0
    assert "goes on with 1 rank and was saved by 2" in capsys.readouterr().err
    run(tmp_path, "remembered", *KINDS["remembered"], "run.frames=144")
    assert apart(folder / "remembered_straight", tmp_path / "remembered") < WITHIN["float32"]
    assert "1 rank saved a memory each, and 2 can't" in outcome_of["errors"]["alone_fifo"]
    with pytest.raises(SettingError, match="2 ranks saved a memory each"):
        start([f"run.resume={folder}/minred_straight", "run.frames=144"], PROGRAM)


def test_what_cannot_work_over_ranks_is_one_line(runs):
    errors = runs[1]["errors"]
    assert errors["uneven"].startswith("env.num_worlds=9 can't be shared out evenly by 2 ranks; try 8 or 10")
    assert errors["batch"].startswith("memory.batch=7 can't be shared out evenly by 2 ranks; try 6 or 8")
    assert "learner.lr: 0.001 on rank 0, 0.002 on rank 1" in errors["different"]
    assert errors["broken"].startswith("block1's embedding on rank 1 became nan at update 3 (")
    assert not any("\n" in text for text in errors.values())
    with pytest.raises(SettingError, match="distributed.negatives=some is unknown"):
        PROGRAM.check(PROGRAM.read(["distributed.negatives=some"]))
    with pytest.raises(SettingError, match="distributed.negatives=local has no use with loss.remember=true"):
        learner("bp", **LOSSES["remembered"]).loss.check_negatives("local")
    with pytest.raises(SettingError, match="1 of the network is a BatchNorm2d, whose statistics each rank"):
        check_network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))


def apart(one, other):
    """The largest relative difference of the newest weights of two runs."""
    both = [load_newest(path / "checkpoints")[0]["learner"]["network"].values() for path in (one, other)]
    return difference(*both)


def test_a_full_disk_of_one_rank_ends_all_with_one_line_and_loses_nothing(tmp_path):
    command = ["-m", "tests.helpers.faulty_run", "full", *QUICK, f"results_dir={tmp_path}", "run.name=one"]
    (status, _, error), (other, _, silent) = ended(start_ranks(*command))
    assert (status, other, silent) == (2, 2, "")
    assert error.startswith(f"rank 1: {tmp_path}/one/checkpoints: No space left on device; make room there")
    assert error.strip().endswith(f"can be resumed by 2 ranks with run.resume={tmp_path}/one")
    state, damaged = load_newest(tmp_path / "one" / "checkpoints", ranks=Ranks())
    assert (state["frames"], damaged) == (24, [])


def test_a_killed_rank_ends_all_with_one_line_and_torchrun_goes_on_from_the_last_checkpoint(runs, tmp_path):
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1", "-m"]
    command += ["tests.helpers.faulty_run", "killed", *QUICK, f"results_dir={tmp_path}", "run.name=one"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line = (
        "rank 1 has gone (killed, or too little memory); all ranks stop; what the last checkpoint holds can be resumed "
    )
    assert done.stderr.count(f"{line}by 2 ranks with run.resume={tmp_path}/one\n") == 1
    assert outcome(tmp_path, "one")[0] == outcome(runs[0], "recording")[0]


def test_ranks_save_and_end_where_torchrun_dies_of_a_signal_that_it_does_not_hand_on(tmp_path):
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "learners.online", *QUICK]
    command += ["run.frames=1_000_000", f"results_dir={tmp_path}", "run.name=one", "run.save_every=1_000_000"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.PIPE, text=True) as process:
        while "of 1,000,000 frames" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGUSR1)
        said = process.stdout.read()  # until the ranks have ended too, whose output it is
    assert process.returncode == -signal.SIGUSR1
    state, _ = load_newest(tmp_path / "one" / "checkpoints", ranks=Ranks())
    assert f"stopped and saved at {state['frames']:,} frames; go on with" in said
    assert "torchrun --standalone --nproc-per-node=2 -m learners.online run.resume=" in said


def test_commands_that_ranks_print_start_as_many(monkeypatch):
    assert Ranks().launcher() == ["python"]
    many = object.__new__(JoinedRanks)
    many.rank, many.size = 0, 16
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert many.launcher() == ["torchrun", "--nnodes=2", "--nproc-per-node=8", "--rdzv-endpoint=HOST:29500"]


def test_ranks_that_do_not_meet_say_so(monkeypatch):
    late = "import time; time.sleep(4 * {rank}); from streams.process import ranks; ranks.START_S = 2; ranks.join()"
    commands = {rank: ["-c", late.format(rank=rank)] for rank in range(2)}
    for rank, (status, _, errors) in enumerate(ended(start_ranks(commands=commands))):
        assert status == 1
        assert f"rank {rank} of 2 did not meet the others at 127.0.0.1:" in errors
    for name, value in {"RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with pytest.raises(SettingError, match="WORLD_SIZE=2 asks for ranks, which need .*MASTER_PORT too"):
        join()
    monkeypatch.delenv("RANK")
    with pytest.raises(SettingError, match="WORLD_SIZE=2 asks for ranks, which need RANK and"):
        join()
