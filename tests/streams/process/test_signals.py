import os
import signal

import pytest

from streams.process.signals import Stop


def test_the_first_signal_is_noted_the_second_raises_and_afterwards_all_is_as_before(capsys):
    before = signal.getsignal(signal.SIGINT)
    with Stop("step") as stop:
        assert not stop
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop
        assert stop.signal == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert "stopping after this step" in capsys.readouterr().err
