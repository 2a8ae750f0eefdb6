import os
import signal

import pytest

from streams.process.signals import SIGNALS, Stop


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_and_afterwards_all_is_as_before(capsys, number):
    before = signal.getsignal(number)
    with Stop("step") as stop:
        assert not stop
        os.kill(os.getpid(), number)
        assert stop
        assert stop.signal == number
    assert signal.getsignal(number) is before
    assert "stopping after this step" in capsys.readouterr().err


def test_a_second_ctrl_c_raises():
    with Stop("step") as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert stop.signal == signal.SIGTERM


def test_what_a_user_ignores_stays_ignored(monkeypatch):
    """As under nohup, which keeps a run going when its terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_reader_that_has_gone_stops_what_runs_and_nothing_else():
    assert not Stop.reader_has_gone()
    with Stop() as stop:
        assert Stop.reader_has_gone()
        assert stop.signal == signal.SIGPIPE
    assert not Stop.reader_has_gone()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_under_torchrun_a_signal_that_comes_twice_is_one_and_later_another(monkeypatch, number):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    now = [100.0]
    monkeypatch.setattr("streams.process.signals.monotonic", lambda: now[0])
    with Stop() as stop:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        assert stop.signal == number
        now[0] += 3.0
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
