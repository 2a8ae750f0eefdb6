"""The report while a run runs: on the loopback address alone, anew when there are new numbers."""

from threading import Thread
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from envs.errors import SettingError
from learners.online import PROGRAM
from runs.launch.start import start
from runs.watch import server
from tests.helpers.online import SMALL

TINY = ["eval.probes=[linear]", "eval.ends=[]", "eval.transfer=[]"]


@pytest.fixture
def watching(tmp_path):
    with server([str(tmp_path)], port=0) as serving:
        assert serving.server_address[0] == "127.0.0.1"
        thread = Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()
        thread.join()


def get(address):
    with urlopen(address) as answer:
        return answer.read().decode()


def test_the_page_follows_the_numbers(tmp_path, watching):
    assert "No numbers yet" in get(watching)
    settings = [*SMALL, *TINY, f"results_dir={tmp_path}", "run.name=one"]
    assert start([*settings, "run.frames=48"], PROGRAM) == 0
    version, page = get(f"{watching}/version"), get(watching)
    assert "conv4" in page
    assert "location.reload()" in page
    assert version == get(f"{watching}/version")
    assert start([f"run.resume={tmp_path}/one", "run.frames=96"], PROGRAM) == 0
    assert version != get(f"{watching}/version")
    assert "96 frames" in get(watching)


def test_nothing_else_is_served(watching):
    with pytest.raises(HTTPError, match="404"):
        get(f"{watching}/../etc/passwd")


def test_what_cannot_be_watched_is_one_line(tmp_path):
    with pytest.raises(SettingError, match="isn't there"):
        server([str(tmp_path / "none")], port=0)
    with server([str(tmp_path)], port=0) as first, pytest.raises(SettingError, match="cannot be used"):
        server([str(tmp_path)], port=first.server_address[1])
