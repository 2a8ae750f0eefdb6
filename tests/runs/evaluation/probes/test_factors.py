import torch

from envs.scene.motion import rotation_matrix
from runs.evaluation.features import Split
from runs.evaluation.probes.factors import factor_targets, read_as
from runs.evaluation.probes.ridge import ridge_probes
from runs.evaluation.world_tasks import world_task

CPU = torch.device("cpu")
FEW = {"train": 60, "validation": 40, "test": 50}


def test_an_orientation_and_its_negative_quaternion_are_read_alike():
    q = torch.nn.functional.normalize(torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    assert torch.allclose(read_as("orientation", q), read_as("orientation", -q))
    columns = read_as("orientation", q).reshape(20, 3, 2)
    assert torch.equal(columns, rotation_matrix(q)[..., :2])


def test_a_turn_of_half_a_degree_is_a_small_step_everywhere():
    angle = torch.arange(0, 720, 0.5, dtype=torch.float64).deg2rad() / 2
    q = torch.stack([angle.cos(), angle.sin(), 0 * angle, 0 * angle], 1)
    assert read_as("orientation", q).diff(dim=0).norm(dim=1).max() < 0.02


def test_every_factor_of_the_world_is_asked_for_but_the_category_and_what_counts():
    targets = factor_targets(world_task("MovingObjects-v0", images=FEW, seed=0, device=CPU, size=8), device=CPU)
    assert {"position", "orientation", "distance", "light_direction", "light_color", "background"} <= set(targets)
    assert not {"category", "instance", "gaze", "phase"} & set(targets)
    assert targets["background"].train.dtype == torch.int64
    assert all(len(of.test) == 50 for of in targets.values())


def test_a_frozen_factor_is_left_out():
    task = world_task("MovingObjects-v0", images=FEW, seed=0, device=CPU, size=8, background="plain")
    assert "background" not in factor_targets(task, device=CPU)


def test_a_code_that_holds_a_factor_has_it_read_off_and_no_other():
    task = world_task("MovingObjects-v0", images=FEW | {"train": 300}, seed=0, device=CPU, size=8)
    targets = factor_targets(task, device=CPU)
    code = Split(*(torch.cat([part, part**2], 1) for part in targets["light_direction"]))
    scores = ridge_probes(code, targets)
    assert scores["light_direction"]["r2"] > 0.99
    assert abs(scores["orientation"]["r2"]) < 0.15
    assert scores["background"]["top1"] < 0.5
