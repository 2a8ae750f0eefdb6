"""An exported encoder gives the features of the run's own, wherever it is loaded."""

import numpy as np
import pytest
import torch
from PIL import Image

import learners
from envs.errors import SettingError
from learners.export import export, main
from learners.online import PROGRAM
from learners.score import main as score_command
from learners.score import score
from runs.launch.start import start
from runs.scores import ScoreKey
from tests.helpers.online import SMALL


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("results")
    assert start([*SMALL, "run.frames=48", "eval.ends=[]", f"results_dir={place}", "run.name=one"], PROGRAM) == 0
    return place / "one"


@pytest.fixture(scope="module")
def images():
    return torch.randint(256, (5, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_weights_are_loaded_by_name(run, images, tmp_path):
    file, _ = export(run, "safetensors", out=tmp_path / "encoder")
    again = learners.load(file)
    assert torch.equal(again(images), learners.load(run)(images))
    assert again.settings == learners.load(run).settings
    assert again.frames == 48


def test_a_graph_of_torch_needs_nothing_of_ours(run, images, tmp_path):
    file, _ = export(run, "torch", out=tmp_path / "encoder")
    graph = torch.export.load(str(file)).module()
    assert torch.allclose(graph(images), learners.load(run)(images), atol=1e-6)
    assert graph(images[:1]).shape == (1, 256)


def test_onnxruntime_gives_the_same_features(run, images, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    file, _ = export(run, "onnx", out=tmp_path / "encoder")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for batch in (images, images[:1], images.repeat(7, 1, 1, 1)):
        (features,) = session.run(None, {"images": batch.numpy()})
        np.testing.assert_allclose(features, learners.load(run)(batch).numpy(), atol=1e-5)


def test_the_card_says_what_it_learned_from_and_how_it_scores(run, tmp_path):
    text = export(run, "safetensors", out=tmp_path / "encoder")[1].read_text()
    for part in ("`conv4`", "`dgl`", "48 frames of `counting`", "(B, 3, 16, 16) uint8", "| test instances | linear |"):
        assert part in text


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is no encoder that learners.export has written"), (b"\x08" + bytes(30), "is no encoder")],
)
def test_a_file_that_is_none_is_named(tmp_path, content, message):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(SettingError, match=message):
        learners.load(tmp_path / "a.safetensors")


def test_the_command_says_what_it_wrote_or_what_is_wrong(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["export", str(run), "--to", "torch", "--out", str(tmp_path / "mine")])
    main()
    assert capsys.readouterr().out.split() == [str(tmp_path / "mine.pt2"), str(tmp_path / "mine.md")]
    monkeypatch.setattr("sys.argv", ["export", str(tmp_path), "--to", "torch"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "is no run" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["export", str(run), "--to", "pt2"])
    with pytest.raises(SystemExit):
        main()
    assert "did you mean torch?" in capsys.readouterr().err


def test_a_finished_run_is_scored_on_new_data(run, tmp_path):
    labels = np.arange(200) % 2
    images = np.full((200, 20, 20, 3), 200, np.uint8) * labels[:, None, None, None].astype(np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    scores = score(run, [str(tmp_path / "own.npz"), "world"])
    assert scores[ScoreKey("own")]["top1"] == 1
    assert {"random_encoder", "pixels", "chance"} <= {key.encoder for key in scores}
    own = learners.load(run)
    assert 0 <= scores[ScoreKey()]["top1"] <= 1
    assert own.frames == 48
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (["nope.npz"], "nope.npz isn't there; give a .npz"),
        (["digit"], "digit is unknown; did you mean digits?"),
        (["cifar10"], "cifar10 is looked for in --data-root, which is not given"),
        (["moving_meshes"], "moving_meshes needs --meshes FOLDER"),
        (["world", "--frames", "7"], "--frames 7 is no checkpoint of"),
        (["a/x.npz", "b/x.npz"], "a/x.npz isn't there"),
    ],
)
def test_a_mistake_in_what_to_score_on_is_said_in_the_words_of_the_command(run, monkeypatch, capsys, data, line):
    monkeypatch.setattr("sys.argv", ["score", str(run), *data])
    with pytest.raises(SystemExit):
        score_command()
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == 1
    assert "eval." not in said


def test_pictures_of_several_sizes_are_to_be_resized_and_not_to_have_a_setting_of_worlds(run, tmp_path):
    for number, name in enumerate("abcd"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (16 + number, 16)).save(tmp_path / name / "x.png")
    with pytest.raises(SettingError, match="mixes sizes: .*; resize them to one$"):
        score(run, [str(tmp_path)])


@pytest.mark.parametrize("command", [score_command, main])
def test_code_of_ones_own_is_trusted_by_an_option_of_the_command(tmp_path, monkeypatch, capsys, command):
    own = ["loss=triplet", "hydra.searchpath=[file://examples/conf]"]
    small = [*SMALL, "run.frames=32", "eval.every=0", f"results_dir={tmp_path}", "run.name=own"]
    assert start([*small, *own], PROGRAM) == 0
    data = ["digits"] if command is score_command else ["--to", "torch"]
    monkeypatch.setattr("sys.argv", ["command", str(tmp_path / "own"), *data])
    with pytest.raises(SystemExit):
        command()
    assert capsys.readouterr().err.rstrip().endswith("; if you trust it, --trust")
