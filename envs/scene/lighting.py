"""Laws of light over time: a key light on a smooth path, of changing strength and colour, over ambient light."""

import numpy as np
import torch
from torch import Tensor

from envs.scene.motion import WAVE
from envs.scene.random import Draws
from envs.scene.settings import SceneSettings

KEY_STRENGTH = 0.85  # irradiance of the key light at 0 stops, where 1 shows white paper at full scale
SECOND_STRENGTH = 0.35  # of the key's
SECOND_TURN = 130.0  # degrees of azimuth from the key
FLICKER = {"light_azimuth": 12.0, "light_elevation": 6.0, "light_intensity": 0.5}  # a flame's: degrees and stops


def draw_light(draws: Draws, settings: SceneSettings, waves: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The ambient light, constant in an episode. In `waves` (of N episodes) the key light gets its path."""
    if settings.light_path == "arc":
        _sun(**{name: waves[name] for name in ("level", "amplitude", "rate", "phase")}, draws=draws, settings=settings)
    elif settings.light_path == "flicker":
        for name, most in FLICKER.items():
            waves["amplitude"][:, WAVE[name], 1] = most
    level = draws.uniform("ambient", 0.15, 0.35)[:, None]
    return {"ambient": level * draws.uniform("ambient/color", 0.85, 1.15, 3)}


def _sun(level, amplitude, rate, phase, draws: Draws, settings: SceneSettings) -> None:
    """Rises on one side, is highest half-way through the episode, and sets on the other."""
    azimuth, elevation = WAVE["light_azimuth"], WAVE["light_elevation"]
    day = settings.speed * ("light_direction" in settings.moving) * np.pi / settings.episode_length
    level[:, azimuth], amplitude[:, azimuth, 0] = 0, 75 * draws.sign("sun/side")
    level[:, elevation], amplitude[:, elevation, 0] = 15, draws.uniform("sun/noon", 25, 55)
    rate[:, [azimuth, elevation], 0] = day
    phase[:, azimuth, 0], phase[:, elevation, 0] = -np.pi / 2, 0


def light_directions(wave: dict[str, Tensor], *, second: bool) -> Tensor:
    """(N, L, 3) unit vectors towards the lights; at azimuth 0 and elevation 0 the light is behind the eye."""
    azimuth, elevation = torch.deg2rad(wave["light_azimuth"]), torch.deg2rad(wave["light_elevation"])
    sides = [azimuth] if not second else [azimuth, azimuth + np.radians(SECOND_TURN)]
    flat = elevation.cos()
    return torch.stack([torch.stack([flat * a.sin(), elevation.sin(), flat * a.cos()], 1) for a in sides], 1)


def power(stops: Tensor, worlds: int | None = None) -> Tensor:
    """(M,) 2^stops, of so many worlds at a time.

    A CPU takes short vectors to powers by another routine than long ones, which rounds otherwise now and then. Of
    moments made ahead, those of one age are therefore taken together, as though there were no others.
    """
    return torch.exp2(stops) if worlds is None else torch.cat([torch.exp2(part) for part in stops.split(worlds)])


def light_colors(wave: dict[str, Tensor], *, second: bool, worlds: int | None = None) -> Tensor:
    """(N, L, 3) linear RGB irradiance; `worlds` as of `power`."""
    key = KEY_STRENGTH * power(wave["light_intensity"], worlds)[:, None] * planckian(1e6 / wave["light_mired"])
    return torch.stack([key, SECOND_STRENGTH * key] if second else [key], 1)


def planckian(kelvin: Tensor) -> Tensor:
    """Linear sRGB (N, 3), mean 1, of a black body between 1667 and 25000 K.

    Chromaticity by the cubic splines of Kim et al. (2002), US patent 7024034, to XYZ at luminance 1, to linear sRGB
    (IEC 61966-2-1). Out-of-gamut channels are clipped at 0.
    """
    m = 1e3 / kelvin
    warm = ((-0.2661239 * m - 0.2343589) * m + 0.8776956) * m + 0.179910
    cool = ((-3.0258469 * m + 2.1070379) * m + 0.2226347) * m + 0.240390
    x = torch.where(kelvin <= 4000, warm, cool)
    red = ((-1.1063814 * x - 1.34811020) * x + 2.18555832) * x - 0.20219683
    middle = ((-0.9549476 * x - 1.37418593) * x + 2.09137015) * x - 0.16748867
    blue = ((3.0817580 * x - 5.87338670) * x + 3.75112997) * x - 0.37001483
    y = torch.where(kelvin <= 2222, red, torch.where(kelvin <= 4000, middle, blue))
    xyz = torch.stack([x / y, torch.ones_like(y), (1 - x - y) / y], 1)
    columns = XYZ_TO_RGB.to(kelvin, non_blocking=True).T  # one by one: a product rounds by the number of its rows
    rgb = sum(part[..., None] * column for part, column in zip(xyz.unbind(-1), columns, strict=True)).clamp_min(0)
    return rgb / rgb.mean(1, keepdim=True)


XYZ_TO_RGB = torch.tensor([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
