"""The table of worlds, for Gymnasium and the choices of `env=NAME`; it imports none, so that `import envs` is cheap."""

from typing import NamedTuple


class WorldEntry(NamedTuple):
    """Where a world is found: `envs/NAME.py` has CLASS (one world), CLASSVector (N of them) and CLASSSettings."""

    id: str  # in Gymnasium
    class_name: str


WORLDS: dict[str, WorldEntry] = {  # by env=NAME
    "moving_objects": WorldEntry("MovingObjects-v0", "MovingObjects"),
    "moving_meshes": WorldEntry("MovingMeshes-v0", "MovingMeshes"),
    "moving_images": WorldEntry("MovingImages-v0", "MovingImages"),
    "counting": WorldEntry("Counting-v0", "Counting"),
}
