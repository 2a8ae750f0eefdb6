"""The simulated device computes as the CPU does, and hears of every mix and every wait that we know of."""

import pytest
import torch

from tests.helpers.simulated import DEVICE, There, simulated

MIXES = {
    "sum": lambda there, here: there + here,
    "product": lambda there, here: there @ here,
    "join": lambda there, here: torch.cat([there, here]),
    "join of numbers": lambda there, here: torch.stack([there.sum(), here.sum()]),
    "choice": lambda there, here: torch.where(there > 0, there, here),
    "in place": lambda there, here: there.add_(here),
    "look-up": lambda there, here: there.index_select(0, torch.tensor([0])),
}
WAITS = {
    "number": lambda there: there.sum().item(),
    "truth": lambda there: bool((there > 0).any()),
    "list": lambda there: there.tolist(),
    "copy down": lambda there: there.cpu(),
    "copy up": lambda there: torch.ones(2).to(DEVICE),
    "list up": lambda there: torch.tensor([1.0, 2.0], device=DEVICE),
    "list like it up": lambda there: there.new_tensor([1.0, 2.0]),
    "mask": lambda there: there[there > 0],
    "places": lambda there: torch.nonzero(there),
    "indices up": lambda there: there[torch.tensor([1])],
    "a number at indices": lambda there: there.__setitem__(torch.zeros(1, dtype=torch.int64, device=DEVICE), 3.0),
    "equality": lambda there: torch.equal(there, there),
    "covariance": torch.cov,
}


def test_what_it_computes_is_what_the_cpu_computes():
    draws = torch.Generator().manual_seed(0)
    here = torch.rand(4, 4, generator=draws)
    with simulated() as waits:
        there = here.clone().to(DEVICE, non_blocking=True).requires_grad_()
        product = (there[:, :2] @ there[:2]).tanh().cumsum(0)
        product.sum().backward()
        assert isinstance(there.grad, There)
        assert waits == []
        gradient = there.grad.cpu()
    here.requires_grad_()
    same = (here[:, :2] @ here[:2]).tanh().cumsum(0)
    same.sum().backward()
    assert torch.equal(product.held, same)
    assert torch.equal(gradient, here.grad)


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_tensors_of_two_devices_do_not_mix(mix):
    with simulated():
        there = torch.ones(3, 3, device=DEVICE)
        with pytest.raises(RuntimeError, match="expected all tensors on one device"):
            mix(there, torch.ones(3, 3))


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_who_waits_is_noted(wait):
    with simulated() as waits:
        there = torch.ones(3, 3, device=DEVICE)
        waits.clear()
        wait(there)
        assert waits
