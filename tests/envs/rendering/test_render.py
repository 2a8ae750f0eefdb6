"""The renderer against independent truth: closed forms, and a ray march in float64."""

import math
import os
import signal

import numpy as np
import pytest
import torch

from envs.rendering.render import _pool, ground_truth, render
from envs.rendering.snapshot import snapshot
from envs.scene.categories import CATEGORIES
from envs.scene.motion import HALF_VIEW, rotation_matrix
from envs.scene.sampling import draw_scene, sample_episode
from envs.scene.settings import SceneSettings


def scene_of(count, **settings):
    settings = SceneSettings(**{"size": 48, "categories": len(CATEGORIES), **settings})
    numbers = np.arange(count, dtype=np.uint64)
    return draw_scene(sample_episode(numbers, 0 * numbers, settings), settings), settings


def now_of(scene, settings, age=0.0):
    count = len(scene.category)
    return snapshot(scene, torch.full((count,), age), torch.zeros(count, 2), settings)


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
    inside = ~np.isnan(expected[..., 0])
    assert 250 < inside.sum() < 450
    assert np.abs(image[inside] - expected[inside]).max() <= 0.51


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
    inside = ~np.isnan(expected)
    assert np.abs(image[inside][:, 0] - expected[inside]).max() <= 0.51


def test_a_second_light_adds_its_own_cosine():
    scene, now, settings = ball(second_light=True)
    now.light_direction[0] = torch.nn.functional.normalize(torch.tensor([[0.5, 0.6, 0.7], [-0.8, 0.2, 0.4]]), dim=1)
    image = render(scene, now, settings)[0].numpy()
    expected = 0.2
    for toward, color in zip(now.light_direction[0].double(), now.light_color[0].double(), strict=True):
        expected = expected + np.maximum(sphere_normals(48) @ toward.numpy(), 0)[..., None] * color.numpy()
    inside = ~np.isnan(expected[..., 0])
    alone = render(
        scene, now._replace(light_color=now.light_color[:, :1], light_direction=now.light_direction[:, :1]), settings
    )
    assert (image[inside] > alone[0].numpy()[inside]).any(1).mean() > 0.1
    assert np.abs(image[inside] - 255 * np.sqrt(np.minimum(expected[inside], 1))).max() <= 0.51


def textured(kind, **more):
    """A ball straight ahead in even light, its albedo between 1 and 0.5 by a texture of this kind; and its points."""
    scene, now, settings = ball(size=48, background="plain", **more)
    now.light_color[:], scene.ambient[:] = 0, 0.9
    scene.texture[:] = torch.tensor([float(kind), 1.7, 0.5, 11.0])
    return scene, now, settings


def albedo(image):
    """(H, W) of what an image in even light of 0.9 shows."""
    return (image[..., 0].numpy() / 255.0) ** 2 / 0.9


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_a_texture_is_fixed_to_the_object_and_turns_with_it(kind):
    """Plain, stripes, checker, noise: a quarter turn about the line of sight turns the picture."""
    scene, now, settings = textured(kind)
    inside = ~np.isnan(sphere_normals(48)[..., 0])
    now.orientation[:] = torch.nn.functional.normalize(torch.tensor([0.9, 0.3, 0.1, 0.2]), dim=0)
    first = render(scene, now, settings)[0]
    turn = torch.tensor([0.5**0.5, 0.0, 0.0, 0.5**0.5])  # about z, counter-clockwise
    w, x, y, z = now.orientation[0, 0].tolist()
    now.orientation[:] = turn[0] * torch.tensor([w - z, x - y, y + x, z + w])  # the turn after the orientation
    second = render(scene, now, settings)[0]
    same = np.abs(np.rot90(albedo(first)) - albedo(second))[inside] < 0.01
    assert same.mean() > 0.98  # the turn may round a point across an edge
    shades = np.unique(albedo(first)[inside].round(2))
    assert len(shades) == 1 if kind == 0 else len(shades) == 2 if kind < 3 else len(shades) > 10
    assert kind == 0 or not np.allclose(albedo(first)[inside], albedo(second)[inside], atol=0.05)


@pytest.mark.parametrize("kind", [1, 2])
def test_stripes_and_checkers_are_their_closed_forms(kind):
    scene, now, settings = textured(kind)
    q = (
        1.7 * 0.8 * sphere_normals(48) @ rotation_matrix(now.orientation[0, 0].double()).numpy()
    )  # in the object's frame
    dark = (q[..., 1] + 0.5 * (11 * 0.618 % 1)) % 1 < 0.5 if kind == 1 else np.floor(2 * q).sum(-1) % 2 == 1
    inside = ~np.isnan(q[..., 0])
    right = np.abs(albedo(render(scene, now, settings)[0]) - np.where(dark, 0.5, 1.0)) < 0.01
    assert right[inside].mean() > 0.98


@pytest.mark.parametrize("kind", ["plain", "gradient", "checker", "noise", "pictures"])
def test_a_background_is_of_its_kind_moves_with_the_gaze_and_drifts_where_it_may(kind, tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    np.save(tmp_path / "a.npy", pictures)
    path, pictures = (str(tmp_path / "a.npy"), torch.from_numpy(pictures)) if kind == "pictures" else ("", None)
    scene, settings = scene_of(6, size=24, shadows=False, background=kind, background_path=path)
    scene.radius[:] = 0  # nobody is in the room
    now = now_of(scene, settings)
    now.light_color[:] = 0  # even light
    image = render(scene, now, settings, pictures).int()
    rows, columns = (image.diff(dim=axis).abs().amax(3).flatten(1).amax(1) > 0 for axis in (1, 2))
    assert rows.any() == (kind != "plain")
    assert columns.any() == (kind in ("checker", "noise", "pictures"))
    aside = now._replace(gaze=now.gaze + torch.tensor([2 * 6 / 24, 0]))  # six pixels to the right
    moved = render(scene, aside, settings, pictures).int()
    assert ((image[:, :, 6:] - moved[:, :, :-6]).abs() <= 1).float().mean() > 0.99
    later = render(scene, now._replace(slide=now.slide + torch.tensor([2.3, 0])), settings, pictures).int()
    assert ((later != image).flatten(1).any(1)).all() == (kind in ("checker", "noise", "pictures"))


def test_turning_the_light_about_the_line_of_sight_turns_the_ball():
    scene, now, settings = ball(2, background="plain")
    now.light_direction[:, 0] = torch.nn.functional.normalize(torch.tensor([[0.6, 0.2, 0.5], [-0.2, 0.6, 0.5]]), dim=1)
    for one in (scene.ambient, now.light_color, scene.color):
        one[1] = one[0]
    first, second = render(scene, now, settings)
    inside = torch.from_numpy(~np.isnan(sphere_normals(48)[..., 0]))
    turned = torch.rot90(first, 1, (0, 1))  # a quarter turn counter-clockwise
    assert (turned[inside].int() - second[inside].int()).abs().max() <= 1


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


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_from_one_that_has_rendered_renders_too():
    """As Gymnasium's AsyncVectorEnv forks them."""
    scene, settings = scene_of(3)
    now, threads = now_of(scene, settings), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        expected = render(scene, now, settings)
        child = os.fork()
        if not child:
            signal.alarm(30)  # one that waits for ever is killed
            os._exit(0 if torch.equal(render(scene, now, settings), expected) else 1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        torch.set_num_threads(threads)


def test_more_samples_smooth_edges_without_moving_them():
    scene, settings = scene_of(6, size=32)
    fine = SceneSettings(**{**vars(settings), "samples": 4})
    one, many = (render(scene, now_of(scene, s), s).float().mean(-1) for s in (settings, fine))
    assert (one - many).abs().mean() < 6
    assert (one - many).mean().abs() < math.sqrt(0.1)


def test_denormals_are_off_in_every_thread():
    tiny = torch.full((1 << 20,), 1e-30)
    assert not (tiny * 1e-12).any()
    assert not any(_pool(2).map(lambda _: bool((torch.tensor(1e-30) * 1e-12).any()), range(4)))
