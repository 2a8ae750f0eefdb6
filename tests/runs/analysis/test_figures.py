import io

import numpy as np
from PIL import Image

from runs.analysis.figures import film_strip, learning_curve


def opened(path):
    return np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB"))


def test_a_film_strip_shows_every_frame_in_its_place(tmp_path):
    frames = np.zeros((2, 3, 8, 8, 3), np.uint8)
    for row in range(2):
        for column in range(3):
            frames[row, column] = (80 * row + 60, 80 * column + 60, 7)
    film_strip(frames, tmp_path / "strip.png", stride=4, ends=np.zeros((2, 3), bool))
    image = opened(tmp_path / "strip.png").reshape(-1, 3)
    for colour in frames[:, :, 0, 0].reshape(-1, 3):
        assert (image == colour).all(1).mean() > 0.05


def test_a_learning_curve_needs_no_baseline_and_survives_one_score(tmp_path):
    curve = {"frames": [0], "top1": [0.4]}
    none = {"linear": None, "transfer": {"digits": None}}
    found = {
        "learner": "dgl",
        "eval": {"linear": curve, "transfer": {"digits": curve}},
        "baseline": {"chance": {"linear": 0.1, "transfer": {"digits": 0.1}}, "pixels": none},
    }
    learning_curve(found, tmp_path / "curve.png")
    assert opened(tmp_path / "curve.png").shape[1] > 800
    assert list(tmp_path.iterdir()) == [tmp_path / "curve.png"]
