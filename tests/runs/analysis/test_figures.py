import io
from dataclasses import replace

import numpy as np
from PIL import Image

from runs.analysis.figures import film_strip, learning_curve
from runs.analysis.reading import LoadedRun
from runs.scores import ScoreKey


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
    curve, level = ({"frames": np.array([0]), "top1": np.array([top1])} for top1 in (0.4, 0.1))
    scores = {ScoreKey(task): curve for task in (None, "digits")}
    scores |= {replace(key, encoder="chance"): level for key in scores}
    learning_curve(LoadedRun(tmp_path, {"learner": "dgl"}, {}, {}, scores), tmp_path / "curve.png")
    assert opened(tmp_path / "curve.png").shape[1] > 800
    assert list(tmp_path.iterdir()) == [tmp_path / "curve.png"]
