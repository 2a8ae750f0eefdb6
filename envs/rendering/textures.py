"""Solid textures: functions of a point in space."""

import warp as wp


@wp.func
def fraction(x: float) -> float:
    """x - floor(x), also for negative x, whose sign Warp's own frac keeps."""
    return x - wp.floor(x)


@wp.func
def grain(kind: int, p: wp.vec3, cycles: float, seed: float) -> float:
    """A solid texture in [0, 1] at a point: 0 plain, 1 stripes, 2 checker, 3 noise."""
    value = 0.0
    q = p * cycles
    if kind == 1:
        value = wp.where(fraction(q[1] + 0.5 * fraction(seed * 0.618)) < 0.5, 1.0, 0.0)
    elif kind == 2:
        value = wp.where(
            fraction(0.5 * (wp.floor(2.0 * q[0]) + wp.floor(2.0 * q[1]) + wp.floor(2.0 * q[2]))) < 0.25, 0.0, 1.0
        )
    elif kind == 3:
        shift = wp.vec3(fraction(seed * 0.618), fraction(seed * 0.755), fraction(seed * 0.570)) * 64.0
        value = wp.clamp(0.5 + 0.9 * wp.noise(wp.uint32(7), 2.0 * q + shift), 0.0, 1.0)
    return value
