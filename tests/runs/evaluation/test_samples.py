import torch

from runs.evaluation.features import LabelledImages
from runs.evaluation.samples import FEATURES, Samples, kept


def samples(count, every=10):
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(256, (20, 3, 4, 4), generator=draws, dtype=torch.uint8)
    return Samples(LabelledImages(images, torch.arange(20)), count=count, every=every)


def test_the_first_images_are_shown_as_they_are():
    few = samples(6)
    assert few.shown["images"].shape == (6, 4, 4, 3)
    assert torch.equal(torch.from_numpy(few.shown["images"]).permute(0, 3, 1, 2), few.images)
    assert few.shown["labels"].tolist() == list(range(6))


def test_their_features_are_kept_to_half_precision_and_at_most_so_many_of_them():
    features = torch.rand(20, 3 * FEATURES)
    kept_features = samples(6).of(features, frames=0, last=False)["samples"]["embeddings"]
    assert kept_features.shape == (6, FEATURES)
    assert torch.equal(torch.from_numpy(kept_features), features[:6, ::3].half())


def test_evaluations_thin_out_and_the_last_is_always_kept():
    numbers = [number for number in range(1000) if kept(number)]
    assert numbers[:34] == [*range(32), 32, 34]
    assert len(numbers) <= 32 + 16 * 5
    few = samples(6)
    assert not few.of(torch.rand(20, 8), frames=330, last=False)
    assert few.of(torch.rand(20, 8), frames=330, last=True)


def test_none_are_kept_where_none_are_asked_for():
    assert samples(0).of(torch.rand(20, 8), frames=0, last=True) == {}
