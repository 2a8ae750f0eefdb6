"""What a recording that no world was made for says in place of a world."""

from dataclasses import dataclass


@dataclass
class ImportedSettings:
    """The settings that a recording of pictures or videos has in place of a world's."""

    name: str = "imported"  # in place of a world
    id: str = ""  # no world can be made of it
    num_worlds: int = 1  # one frame after another
    size: int = 32  # pixels along an edge of the square frame
    episode_length: int = 1  # frames of the longest
