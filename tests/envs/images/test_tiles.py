import numpy as np

from envs.images.tiles import tile


def test_images_lie_in_rows_and_columns_with_gaps_only_between_them():
    images = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1).repeat(4, 3).repeat(3, 4)  # 1x4 pixels each
    whole = tile(images, scale=2, gap=1)
    assert whole.shape == (2 * 2 + 1, 3 * 8 + 2, 3)
    assert whole[0, ::9, 0].tolist() == [0, 1, 2]
    assert whole[3, ::9, 0].tolist() == [3, 4, 5]
    assert (whole[2] == 255).all()
    assert (whole[:, [8, 17]] == 255).all()
    assert (tile(images) == images.swapaxes(1, 2).reshape(2, 12, 3)).all()
