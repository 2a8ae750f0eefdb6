"""The renderer against independent truth: closed forms, and a ray march in float64."""

import math

import numpy as np
import pytest
import torch

from envs.categories import CATEGORIES
from envs.motion import HALF_VIEW, rotation_matrix
from envs.moving_objects import MovingObjectsVector
from envs.render import _pool, ground_truth, moment, render
from envs.scene import WorldSettings, draw_scene, meet


def scene_of(count, **settings):
    settings = WorldSettings(**{"size": 48, "categories": len(CATEGORIES), **settings})
    numbers = np.arange(count, dtype=np.uint64)
    return draw_scene(meet(numbers, 0 * numbers, settings), settings), settings


def now_of(scene, settings, age=0.0):
    count = len(scene.category)
    return moment(scene, torch.full((count,), age), torch.zeros(count, 2), settings)


def ball(count=1, **settings):
    """Scenes in which the object is a plain white ball of radius 0.8 straight ahead, without highlights."""
    scene, settings = scene_of(count, shadows=False, **settings)
    scene.radius[:] = 0
    scene.radius[:, 0, 0], scene.bound[:] = 0.8, 0.8
    scene.kind[:, 0, 0], scene.centre[:, 0, 0], scene.color[:, 0, 0] = 0, 0.0, 1.0
    scene.inverse[:, 0, 0] = torch.eye(3) / 0.8
    scene.gloss[:], scene.texture[:], scene.ambient[:] = 0, 0, 0.2
    now = now_of(scene, settings)
    now.place[:, 0] = torch.tensor([0.0, 0.0, -5.0])
    return scene, now, settings


def rays(size):
    """(H, W, 3) float64 directions of the pixels' middles."""
    film = HALF_VIEW * ((2 * np.arange(size) + 1) / size - 1)
    return np.stack([*np.meshgrid(film, -film), -np.ones((size, size))], -1)


def sphere_normals(size, radius=0.8, distance=5.0):
    """(H, W, 3) float64 unit normals where the pixel shows the ball, NaN elsewhere."""
    way = rays(size)
    a, b, c = (way**2).sum(-1), distance, distance**2 - radius**2  # |t way - (0, 0, -distance)| = radius
    with np.errstate(invalid="ignore"):
        t = (b - np.sqrt(b * b - a * c)) / a
    return (t[..., None] * way + [0, 0, distance]) / radius


def test_a_balls_shading_is_the_cosine_law():
    scene, now, settings = ball()
    now.light_direction[:] = torch.nn.functional.normalize(torch.tensor([0.5, 0.6, 0.7]), dim=0)
    now.light_color[:] = torch.tensor([0.7, 0.6, 0.5])
    image = render(scene, now, settings)[0].numpy()
    normal = sphere_normals(48)
    cosine = np.maximum((normal * now.light_direction[0, 0].numpy()).sum(-1), 0)
    expected = 255 * np.sqrt(0.2 + cosine[..., None] * [0.7, 0.6, 0.5])
    seen = ~np.isnan(expected[..., 0])
    assert 250 < seen.sum() < 450
    assert np.abs(image[seen] - expected[seen]).max() <= 0.51


def test_a_balls_highlight_is_blinns():
    scene, now, settings = ball()
    scene.gloss[:], scene.ambient[:], scene.color[:] = torch.tensor([0.5, 20.0]), 0.1, 0.2
    now.light_color[:] = 0.6
    image = render(scene, now, settings)[0].numpy()
    normal, way = sphere_normals(48), rays(48)
    light = now.light_direction[0, 0].numpy().astype(float)
    half = light - way / np.linalg.norm(way, axis=-1, keepdims=True)
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    cosine = (normal * light).sum(-1)
    shine = np.where(cosine > 0, 0.5 * np.maximum((normal * half).sum(-1), 0) ** 20, 0)
    expected = 255 * np.sqrt(0.2 * 0.1 + 0.6 * (0.2 * np.maximum(cosine, 0) + shine))
    seen = ~np.isnan(expected)
    assert np.abs(image[seen][:, 0] - expected[seen]).max() <= 0.51


def test_turning_the_light_about_the_line_of_sight_turns_the_ball():
    scene, now, settings = ball(2, background="plain")
    now.light_direction[:, 0] = torch.nn.functional.normalize(torch.tensor([[0.6, 0.2, 0.5], [-0.2, 0.6, 0.5]]), dim=1)
    for one in (scene.ambient, now.light_color, scene.color):
        one[1] = one[0]
    first, second = render(scene, now, settings)
    seen = torch.from_numpy(~np.isnan(sphere_normals(48)[..., 0]))
    turned = torch.rot90(first, 1, (0, 1))  # a quarter turn counter-clockwise
    assert (turned[seen].int() - second[seen].int()).abs().max() <= 1


def test_the_mask_follows_the_position():
    scene, now, settings = ball(3, size=64)
    now.place[:, 0] = torch.tensor([[0.3, -0.2, -5.0], [-0.6, 0.4, -4.0], [0.0, 0.5, -6.0]])
    mask = ground_truth(scene, now, settings).mask
    pixel = torch.arange(64) + 0.5
    for n, (x, y, z) in enumerate(now.place[:, 0].tolist()):
        rows, columns = (mask[n] == 1).nonzero(as_tuple=True)
        assert pixel[columns].mean().item() == pytest.approx(32 + 32 * x / -z / HALF_VIEW, abs=0.7)
        assert pixel[rows].mean().item() == pytest.approx(32 - 32 * y / -z / HALF_VIEW, abs=0.7)


def signed_inside(kind, taper, p):
    """Whether points (..., 3) float64 in a unit solid's frame are inside it, by the definition of the solids."""
    x, y, z = np.moveaxis(p, -1, 0)
    if kind == 0:
        return x * x + y * y + z * z <= 1
    if kind == 3:
        return (x * x + y * y + z * z <= 1) & (y >= 0)
    wx, wz = (1 - k * (y + 1) / 2 for k in taper)
    if kind == 1:
        return (abs(y) <= 1) & (abs(x) <= wx) & (abs(z) <= wz)
    return (abs(y) <= 1) & (np.hypot(x, z) <= wx)


def marched(scene, now, n, size, step=0.004):
    """(H, W) float64 depth by walking along each ray in small steps; inf where nothing is met."""
    way = rays(size)
    turn = rotation_matrix(now.orientation[n, 0].double()).numpy()
    place, reach = now.place[n, 0].double().numpy(), scene.bound[n, 0].item()
    depth = np.full((size, size), np.inf)
    for t in np.arange(-place[2] - reach, -place[2] + reach, step):
        local = (t * way - place) @ turn  # the transpose turns back
        for part in np.flatnonzero(scene.radius[n, 0].numpy() > 0):
            inverse = scene.inverse[n, 0, part].double().numpy()
            p = (local - scene.centre[n, 0, part].double().numpy()) @ inverse.T
            inside = signed_inside(int(scene.kind[n, 0, part]), scene.taper[n, 0, part].tolist(), p)
            depth = np.where(inside & np.isinf(depth), t, depth)
    return depth


def test_depth_agrees_with_a_ray_march():
    scene, settings = scene_of(24, size=24)
    now = now_of(scene, settings, age=7.0)
    truth = ground_truth(scene, now, settings)
    edges = 0
    for n in range(24):
        expected, depth = marched(scene, now, n, 24), truth.depth[n].double().numpy()
        differs = np.isinf(expected) != np.isinf(depth)
        both = ~np.isinf(expected) & ~np.isinf(depth)
        edges += differs.sum() + (np.abs(expected[both] - depth[both]) > 0.01).sum()
        assert both.sum() > 10
    assert edges <= 0.003 * 24 * 24 * 24  # a ray may graze a thin edge between two steps


def test_normals_face_the_eye_and_are_unit():
    scene, settings = scene_of(12)
    truth = ground_truth(scene, now_of(scene, settings), settings)
    hit = truth.mask > 0
    assert torch.allclose(truth.normals[hit].norm(dim=1), torch.ones(int(hit.sum())), atol=1e-5)
    way = torch.from_numpy(rays(48)).float().expand(12, -1, -1, -1)
    assert ((truth.normals * way).sum(-1)[hit] < 1e-4).all()
    assert (truth.normals[~hit] == 0).all()


def test_shadows_only_darken_and_do_darken():
    lit, settings = scene_of(16, shadows=False)
    bright = render(lit, now_of(lit, settings), settings).int()
    dark_scene, dark = scene_of(16, shadows=True)
    darker = render(dark_scene, now_of(dark_scene, dark), dark).int()
    assert (darker <= bright).all()
    assert ((darker < bright).any(-1).flatten(1).float().mean(1) > 0.005).float().mean() > 0.7


def test_threads_do_not_change_a_pixel():
    scene, settings = scene_of(7)
    threads = torch.get_num_threads()
    try:
        frames = []
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            frames.append(render(scene, now_of(scene, settings), settings))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(frame, frames[0]) for frame in frames)


def test_more_samples_smooth_edges_without_moving_them():
    scene, settings = scene_of(6, size=32)
    fine = WorldSettings(**{**vars(settings), "samples": 4})
    one, many = (render(scene, now_of(scene, s), s).float().mean(-1) for s in (settings, fine))
    assert (one - many).abs().mean() < 6
    assert (one - many).mean().abs() < math.sqrt(0.1)


def test_denormals_are_off_in_every_thread():
    tiny = torch.full((1 << 20,), 1e-30)
    assert not (tiny * 1e-12).any()
    assert not any(_pool(2).map(lambda _: bool((torch.tensor(1e-30) * 1e-12).any()), range(4)))


def test_a_picture_behind_the_object_is_one_of_those_given(tmp_path):
    """Where all pictures are of one grey, the room is of that grey times the light; other pictures, another room."""
    frames = []
    for grey in (60, 120, 240):
        np.save(tmp_path / f"{grey}.npy", np.full((5, 8, 8, 3), grey, np.uint8))
        world = MovingObjectsVector(
            6, size=24, background="pictures", background_path=str(tmp_path / f"{grey}.npy"), shadows=False
        )
        image, _ = world.reset(seed=0)
        wall = world.ground_truth().mask == 0
        frames.append(torch.where(wall[..., None], image.float(), -1.0))
    linear = [srgb_to_linear(frame / 255) for frame in frames]
    lit = (frames[2] > 0) & (frames[2] < 255)  # neither object nor saturated
    shares = [srgb_to_linear(torch.tensor(grey / 255)) for grey in (60, 120, 240)]
    assert lit.float().mean() > 0.2
    for one, share in zip(linear, shares, strict=True):
        wanted = linear[2][lit] * share / shares[2]
        assert torch.allclose(one[lit], wanted, atol=0.01)


def srgb_to_linear(value):
    """IEC 61966-2-1's decoding."""
    return torch.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def test_the_light_flickers_faster_than_it_wanders():
    change = {}
    for path in ("wander", "flicker"):
        world = MovingObjectsVector(16, size=8, light_path=path)
        world.reset(seed=0)
        seen = [world.step(torch.zeros(16, 2))[-1]["light_intensity"] for _ in range(24)]
        change[path] = float(torch.stack(seen).diff(dim=0).abs().mean())
    assert change["flicker"] > 2 * change["wander"]
