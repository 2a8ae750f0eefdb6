"""What there is in the world: each category is a function from draws to the parts of M of its instances.

Add one of your own: write a function, put it in CATEGORIES. Sizes are free (objects are brought to one size), y is up,
z is the front.
"""

from envs.draws import Draws
from envs.objects import Category, Part


def mug(d: Draws) -> list[Part]:
    height, radius = d.uniform("height", 0.8, 1.2), d.uniform("radius", 0.6, 0.85)
    grip = d.uniform("grip", 0.25, 0.4)
    return [
        Part("body", "frustum", (radius, height, radius), (0, 0, 0), taper=(d.uniform("flare", -0.1, 0.15),) * 2),
        Part("rim", "frustum", (radius * 0.8, 0.04, radius * 0.8), (0, height, 0), color=1),
        Part("handle", "box", (0.12, height * 0.5, 0.12), (radius + grip, 0, 0), color=2),
        Part("upper arm", "box", (grip / 2 + 0.1, 0.1, 0.1), (radius + grip / 2, height * 0.45, 0), color=2),
        Part("lower arm", "box", (grip / 2 + 0.1, 0.1, 0.1), (radius + grip / 2, -height * 0.45, 0), color=2),
    ]


CATEGORIES: dict[str, Category] = {"mug": mug}
