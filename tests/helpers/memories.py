"""Rows of small frames that say which they are, and memories that are filled with them."""

import torch

from streams.pairing.memory import BufferSettings
from streams.seeding import generator
from streams.types import Rows


def rows(first, count=4, *, views=1, categories=3):
    """Rows that say in pixels, episode and category which they are."""
    number = torch.arange(first, first + count)
    images = (number % 256).to(torch.uint8)[:, None, None, None].expand(-1, 4, 4, 3).contiguous()
    return Rows((images,) * views, torch.full((count,), views - 1), number, {"category": number % categories})


def filled(kind, batches, *, capacity=12, views=1, train=False):
    memory = kind(BufferSettings(capacity=capacity), seed=0)
    for batch in range(batches):
        step(memory, batch, views=views, train=train)
    return memory


def step(memory, batch, *, views=1, train=True):
    memory.add(rows(4 * batch, views=views))
    if train:
        drawn, slots = memory.draw(4, generator(0, "draw", batch))
        if memory.asks_for_features:
            memory.remember(slots, features(drawn))


def features(drawn):
    """Every third row looks nearly the same."""
    draws = torch.randn(1000, 8, generator=torch.Generator().manual_seed(0))
    return torch.where((drawn.episode % 3 == 0)[:, None], draws[:1] + 0.01 * draws[drawn.episode], draws[drawn.episode])


def held(memory):
    return sorted(memory.rows.episode[: memory.filled].tolist())
