"""Hydra's own flags, and what a command says next."""

import subprocess
import sys

import pytest

from envs.errors import SettingError
from learners.online import main
from runs.settings import read


def test_hydras_flags_take_their_values(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["online", "--cfg", "job", "env=counting", "seed=3"])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    assert "seed: 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "way"), [("run.frames=1e5", "100_000"), ("learner.lr=fast", "0.001"), ("eval.transfer=digits", "[a,b]")]
)
def test_a_value_of_another_type_is_told_with_one_that_would_do(said, way):
    with pytest.raises(SettingError, match=f"{said}: .*{way.replace('[', '.').replace(']', '.')}"):
        read([said])


def test_a_reader_that_has_gone_is_no_fault_of_the_disk():
    program = """if True:
        from streams.commands import guarded
        guarded(lambda: [print("line") for _ in range(100_000)], place="results_dir", stopped="")
    """
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 1
