"""MovingMeshes-v0: meshes of the user's own move, turn and come nearer under a moving light."""

from dataclasses import dataclass

from envs.errors import SettingError, check_choices, check_ranges
from envs.meshes.cast import RECOLORS, Meshes
from envs.meshes.library import Reading, bytes_of, load
from envs.meshes.sizing import UP
from envs.meshes.splits import members
from envs.rendering.mesh_set import MeshSet
from envs.scene.settings import SPLIT_STRIDE, SPLITS, SceneSettings
from envs.scenes import SceneVector, SingleScene

MOST_CATEGORIES = 1 << 16


@dataclass
class MovingMeshesSettings(SceneSettings):
    """env=moving_meshes"""

    name: str = "moving_meshes"  # of the world: env=NAME
    id: str = "MovingMeshes-v0"  # of the environment that is registered with Gymnasium
    num_worlds: int = 128  # worlds watched at once; each gives one frame a step

    path: str = ""  # a folder whose sub-folders are categories and hold objects: .glb, .gltf, .obj, .ply, .stl or .off
    exclude: tuple[str, ...] = ()  # sub-folders that are no categories
    categories: int = 0  # how many of the sub-folders, in order; 0 for all
    held_out: float = 0.2  # share of each category's objects for validation, and as much again for testing
    split_list: str = ""  # instead of that, a file of lines `category/name.glb,train`; others are not shown
    instances: int = 0  # objects of each category in the split; 0 for all
    up: str = "auto"  # the axis that is up in the files: x, y, z or auto (z in .stl, y in all others)
    recolor: str = "palette"  # palette (hues turned, the mean any colour), hue (hues turned) or none (as in the file)
    size_jitter: float = 0.15  # of the common size, as the natural logarithm of the largest factor
    skip_broken: bool = False  # go on without files that can't be shown
    max_mb: float = 64.0  # of a file, in 2^20 bytes
    max_triangles: int = 200_000  # of a file

    def __post_init__(self):
        self.exclude = tuple(self.exclude)
        super().__post_init__()

    def check_cast(self) -> None:
        """Raises SettingError for values of which objects appear that cannot work."""
        check_ranges(self, categories=(0, MOST_CATEGORIES), instances=(0, SPLIT_STRIDE))
        check_ranges(self, max_triangles=(1, 1 << 24), max_mb=(0, 1 << 14), held_out=(0, 1), size_jitter=(0, 2))
        check_choices(self, split=(*SPLITS, "all"), up=("auto", *UP), recolor=RECOLORS)
        if self.held_out >= 0.5:
            raise SettingError(f"env.held_out={self.held_out} twice leaves nothing to train on; try 0.2")


class MovingMeshesVector(SceneVector):
    """N worlds at once; every field of MovingMeshesSettings is a keyword.

    Factors are those of SceneVector; an instance is the number of a file among all of the folder's, in order.
    """

    settings_class = MovingMeshesSettings
    settings: MovingMeshesSettings

    def _load(self) -> tuple[Meshes, MeshSet]:
        chosen = self.settings
        reading = Reading(chosen.up, bytes_of(chosen.max_mb), chosen.max_triangles, chosen.skip_broken)
        library = load(chosen.path, chosen.exclude, reading)
        groups = members(library, split=chosen.split, held_out=chosen.held_out, split_list=chosen.split_list)
        if chosen.categories > len(groups):
            raise SettingError(
                f"env.categories={chosen.categories}, and env.path={chosen.path} has {len(groups)} sub-folders with "
                f"meshes; try {len(groups)}, or 0 for all"
            )
        groups = [group[: chosen.instances or None] for group in groups[: chosen.categories or None]]
        chosen.check(categories=len(groups))
        self.category_names, self.notes = library.categories[: len(groups)], library.notes
        cast = Meshes(library.meshes, groups, recolor=chosen.recolor, size_jitter=chosen.size_jitter)
        return cast, MeshSet(library.meshes, self.device)


class MovingMeshes(SingleScene):
    """One world; the same settings."""

    vector_world = MovingMeshesVector
