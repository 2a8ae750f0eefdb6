"""The worlds by name, and those of one's own: `env=MODULE:NAME`, or `env=NAME` of an installed package."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol

import gymnasium as gym

from envs import registry
from envs.base import SingleWorld, VectorWorld
from envs.contract import SETTINGS
from envs.errors import SettingError, unknown

ENTRY_POINTS = "contiguity.worlds"  # of installed packages: NAME = "MODULE", which registers it


class WorldSettings(Protocol):
    """The fields that every world's dataclass has, for whom the world is one of many."""

    name: str
    id: str
    num_worlds: int
    size: int
    episode_length: int


WORLDS: dict[str, type[WorldSettings]] = {  # by env=NAME
    name: getattr(import_module(f"envs.{name}"), f"{entry.class_name}Settings")
    for name, entry in registry.WORLDS.items()
}


def register(world: type[VectorWorld]) -> type[VectorWorld]:
    """Makes a world known to Gymnasium by its settings' `id`, and to the commands as `env=NAME`; also a decorator.

    Args:
        world: a subclass of `VectorWorld` whose `settings_class` is a dataclass with the fields name, id, num_worlds,
            size, episode_length, split and stagger, and those of its own, all with defaults.

    Raises:
        SettingError: such a class it is not, or the name or id is another world's.
    """
    schema: Any = getattr(world, "settings_class", None)
    if not (isinstance(world, type) and issubclass(world, VectorWorld) and hasattr(schema, "__dataclass_fields__")):
        raise SettingError(f"{world} is no world; give a subclass of envs.VectorWorld with a dataclass settings_class")
    absent = [field for field in SETTINGS if not hasattr(schema, field)]
    if absent:
        raise SettingError(f"{schema.__name__} lacks {', '.join(absent)}; a world's settings need them, with defaults")
    name, env_id = schema.name, schema.id
    other = WORLDS.get(name)
    if (other or schema).__qualname__ != schema.__qualname__ or (other is None and env_id in gym.registry):
        raise SettingError(f"env={name} or {env_id} is another world's; choose another name and id")
    single: Any = type(name, (SingleWorld,), {"vector_world": world, "__doc__": f"One world of {world.__name__}."})
    gym.registry.pop(env_id, None)  # of the same class, whose module was imported a second time
    gym.register(id=env_id, entry_point=single, vector_entry_point=world)
    WORLDS[name] = schema
    return world


def find_world(named: str) -> str:
    """The name of the world that `env=named` means, whose module is imported if need be.

    Raises SettingError: no such module or world.
    """
    module, colon, name = named.rpartition(":")
    if not colon:
        return installed_world(named)
    _import(module, name)
    return name


def installed_world(name: str) -> str:
    """The same name, of ours, of one registered already, or of an installed package's. Raises SettingError: none."""
    if name in WORLDS:
        return name
    homes = [entry.value for entry in entry_points(group=ENTRY_POINTS) if entry.name == name]
    if not homes:
        raise unknown("env", name, [*WORLDS, "MODULE:NAME for a world of your own"])
    _import(homes[0], name)
    return name


def _import(module: str, name: str) -> None:
    named = f"{module}:{name}"
    try:
        import_module(module)
    except ImportError as error:
        raise SettingError(
            f"env={named} cannot be imported ({error}); a world of your own is MODULE:NAME, found from the folder that "
            "you run in or from PYTHONPATH"
        ) from error
    if name not in WORLDS:
        raise SettingError(f"env={named}: {module} registers no world {name}; call envs.register there")
