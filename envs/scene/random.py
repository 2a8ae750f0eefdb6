"""Random numbers as a function of (key, name, index), never of history.

Worlds draw on the host in numpy, so that a CPU and a GPU show the same world, world i of N does not depend on N, and a
resumed world needs no generator state. The generator is the finaliser of SplitMix64 (Steele, Lea and Flood 2014,
"Fast splittable pseudorandom number generators") used as a hash of a counter.
"""

import hashlib
from functools import lru_cache

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(values: np.ndarray) -> np.ndarray:
    """A bijection of uint64 in which every input bit moves every output bit."""
    z = values + GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@lru_cache(maxsize=4096)
def name_key(name: str) -> int:
    """The 64-bit hash of a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def key(*parts: int | str | np.ndarray) -> np.ndarray:
    """Folds integers, names and integer arrays (N,), broadcast against each other, into keys (N,) uint64."""
    folded = np.zeros(1, np.uint64)
    for part in parts:
        number = name_key(part) if isinstance(part, str) else part
        bits = number.astype(np.uint64) if isinstance(number, np.ndarray) else np.array(number % 2**64, np.uint64)
        folded = mix(folded ^ bits)
    return folded


class Draws:
    """Named draws for N keys: `Draws(keys).uniform("distance", 3, 5)` is (N,) and depends on nothing drawn before."""

    def __init__(self, keys: np.ndarray):
        self.keys = keys  # (N,) uint64

    def __len__(self) -> int:
        return len(self.keys)

    def uniform(self, name: str, low: float = 0.0, high: float = 1.0, count: int | None = None) -> np.ndarray:
        """(N,) or, with a count, (N, count) float64 uniform in [low, high)."""
        bits = mix(self.keys ^ np.uint64(name_key(name)))
        if count is not None:
            bits = mix(bits[:, None] + np.arange(count, dtype=np.uint64) * GOLDEN)
        return low + (high - low) * ((bits >> np.uint64(11)) * 2.0**-53)

    def log_uniform(self, name: str, low: float, high: float) -> np.ndarray:
        """(N,) float64 uniform in the logarithm, for quantities that are judged by ratios."""
        return np.exp(self.uniform(name, np.log(low), np.log(high)))

    def integers(self, name: str, count: int | np.ndarray) -> np.ndarray:
        """(N,) int64 uniform in [0, count)."""
        return (self.uniform(name) * count).astype(np.int64)

    def chance(self, name: str, probability: float) -> np.ndarray:
        """(N,) bool, true with this probability."""
        return self.uniform(name) < probability

    def sign(self, name: str) -> np.ndarray:
        """(N,) float64: -1 or 1 with equal probability."""
        return np.where(self.chance(name, 0.5), 1.0, -1.0)

    def direction(self, name: str) -> np.ndarray:
        """(N, 3) uniform on the unit sphere."""
        height = self.uniform(name + "/height", -1, 1)
        turn = self.uniform(name + "/turn", 0, 2 * np.pi)
        radius = np.sqrt(1 - height**2)
        return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], 1)
