"""Lamps, their paths and colours against physics and closed forms."""

import numpy as np
import pytest
import torch

from envs.moving_objects import MovingObjectsVector
from envs.scene.lighting import SECOND_STRENGTH, SECOND_TURN, light_colors, light_directions, planckian


def lobe(nm, height, peak, left, right):
    return height * np.exp(-0.5 * ((nm - peak) / np.where(nm < peak, left, right)) ** 2)


def black_body(kelvin):
    """Linear sRGB, mean 1: Planck's law and the CIE 1931 observer in the fit of Wyman, Sloan and Shirley (2013)."""
    nm = np.arange(380.0, 781.0)
    power = nm**-5 / np.expm1(1.438777e7 / (nm * kelvin))
    x = lobe(nm, 1.056, 599.8, 37.9, 31.0) + lobe(nm, 0.362, 442.0, 16.0, 26.7) - lobe(nm, 0.065, 501.1, 20.4, 26.2)
    y = lobe(nm, 0.821, 568.8, 46.9, 40.5) + lobe(nm, 0.286, 530.9, 16.3, 31.1)
    z = lobe(nm, 1.217, 437.0, 11.8, 36.0) + lobe(nm, 0.681, 459.0, 26.0, 13.8)
    primaries = np.array([[0.64, 0.3, 0.15], [0.33, 0.6, 0.06], [0.03, 0.1, 0.79]])  # xyz of red, green and blue
    white = np.array([0.3127, 0.329, 0.3583]) / 0.329
    rgb = np.linalg.solve(primaries * np.linalg.solve(primaries, white), [(power * curve).sum() for curve in (x, y, z)])
    return np.maximum(rgb, 0) / np.maximum(rgb, 0).mean()


@pytest.mark.parametrize("kelvin", [2000, 2700, 4000, 6500, 10_000, 20_000])
def test_the_colour_of_a_temperature_is_a_black_bodys(kelvin):
    rgb = planckian(torch.tensor([float(kelvin)]))[0].numpy()
    assert rgb == pytest.approx(black_body(kelvin), abs=0.04)


def lived(steps, **settings):
    """Each factor (T, N, ...) of 16 worlds without a gap between steps."""
    world = MovingObjectsVector(16, size=8, **settings)
    infos = [world.reset(seed=0)[1]]
    infos += [world.step(torch.zeros(16, 2))[-1] for _ in range(steps - 1)]
    return {name: torch.stack([info[name] for info in infos]) for name in infos[0]}


def test_the_sun_rises_on_one_side_is_highest_half_way_and_sets_on_the_other():
    toward = lived(41, episode_length=41, light_path="arc")["light_direction"]  # (T, N, 3)
    assert torch.allclose(toward.norm(dim=2), torch.ones(()), atol=1e-5)
    side, height = toward[..., 0], toward[..., 1]
    assert (side[0] * side[-1] < 0).all()
    assert (side.diff(dim=0).sign() == side[-1].sign()).float().mean() > 0.9  # straight across
    assert ((height.argmax(0) - 20).abs() <= 1).all()
    assert (height[0] < height[20] - 0.2).all()
    assert set(side[0].sign().tolist()) == {-1.0, 1.0}


def test_a_wandering_light_turns_smoothly_and_a_frozen_one_not_at_all():
    for path in ("wander", "arc"):
        toward = lived(20, light_path=path)["light_direction"]
        turned = torch.rad2deg(torch.arccos((toward[1:] * toward[:-1]).sum(2).clamp(-1, 1)))
        assert turned.mean() > 0
        assert turned.max() < 10
        held = lived(20, light_path=path, moving=["rotation"])["light_direction"]
        assert torch.equal(held, held[:1].expand_as(held))


def test_the_second_lamp_is_a_weaker_one_of_the_same_colour_from_another_side():
    wave = {name: torch.tensor([value]) for name, value in (("light_azimuth", 20.0), ("light_elevation", 30.0))}
    wave |= {"light_intensity": torch.tensor([1.0]), "light_mired": torch.tensor([200.0])}
    key, second = light_directions(wave, second=True)[0]
    assert torch.allclose(torch.stack([key, second]).norm(dim=1), torch.ones(()))
    assert [lamp[1].item() for lamp in (key, second)] == pytest.approx([0.5, 0.5])
    azimuth = [torch.rad2deg(torch.atan2(lamp[0], lamp[2])).item() for lamp in (key, second)]
    assert azimuth[1] - azimuth[0] == pytest.approx(SECOND_TURN, abs=1e-3)
    colors = light_colors(wave, second=True)[0]
    assert torch.allclose(colors[1], SECOND_STRENGTH * colors[0])
    assert torch.equal(colors[0], light_colors(wave, second=False)[0, 0])


def test_jitter_shakes_place_distance_and_light_and_nothing_else():
    still, shaken = lived(24), lived(24, jitter=0.3)
    for name in ("position", "distance", "light_direction", "light_intensity"):
        roughness = [factors[name].diff(n=2, dim=0).abs().mean() for factors in (still, shaken)]
        assert roughness[1] > 3 * roughness[0], name
    assert torch.equal(still["orientation"], shaken["orientation"])
    assert torch.equal(still["category"], shaken["category"])


def test_the_light_flickers_faster_than_it_wanders():
    change = {}
    for path in ("wander", "flicker"):
        world = MovingObjectsVector(16, size=8, light_path=path)
        world.reset(seed=0)
        intensities = [world.step(torch.zeros(16, 2))[-1]["light_intensity"] for _ in range(24)]
        change[path] = float(torch.stack(intensities).diff(dim=0).abs().mean())
    assert change["flicker"] > 2 * change["wander"]
