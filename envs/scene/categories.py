"""The categories of objects: each is a function from draws to the parts of M of its instances.

Add one of your own: write a function, put it in CATEGORIES. Sizes are free (objects are brought to one size), y is up,
z is the front. A name drawn twice gives the same number. Nothing should be thinner than a twentieth of the whole: it
would vanish in a small picture.
"""

from typing import Any

import numpy as np

from envs.scene.objects import Category, Number, Part
from envs.scene.random import Draws


def mug(d: Draws) -> list[Part]:
    """A mug with a drink in it and an angular handle."""
    tall, wide, grip = d.uniform("tall", 0.6, 1.2), d.uniform("wide", 0.6, 0.95), d.uniform("grip", 0.3, 0.45)
    return [
        Part("body", "frustum", (wide, tall, wide), (0, 0, 0), taper=(d.uniform("flare", -0.25, 0.2),) * 2),
        Part("drink", "frustum", (wide * 0.75, 0.1, wide * 0.75), (0, tall, 0), color=1),
        Part("handle", "box", (0.15, tall * 0.55, 0.16), (wide + grip, 0, 0), color=2),
        Part("upper arm", "box", (grip / 2 + 0.1, 0.14, 0.15), (wide + grip / 2, tall * 0.45, 0), color=2),
        Part("lower arm", "box", (grip / 2 + 0.1, 0.14, 0.15), (wide + grip / 2, -tall * 0.45, 0), color=2),
    ]


def chair(d: Draws) -> list[Part]:
    """A chair with a leaning back, some with arms."""
    wide, tall, leg = d.uniform("wide", 0.6, 1.0), d.uniform("back", 0.9, 1.5), d.uniform("leg", 0.6, 1.1)
    arm, arms = (0.13, 0.28, 0.65), d.chance("arms", 0.4)
    return [
        Part("seat", "box", (wide, 0.14, 0.8), (0, 0, 0)),
        Part("back", "box", (wide, tall / 2, 0.13), (0, tall / 2, -0.75), (d.uniform("lean", -15, 0), 0, 0), color=1),
        *_corners("leg", 0.13, leg / 2, wide * 0.85, 0.65, -leg / 2),
        Part("left arm", "box", arm, (-wide, 0.4, 0), color=2, present=arms),
        Part("right arm", "box", arm, (wide, 0.4, 0), color=2, present=arms),
    ]


def car(d: Draws) -> list[Part]:
    """A car with a sloping cabin, on four wheels."""
    long, tall, cabin = d.uniform("long", 1.2, 1.9), d.uniform("tall", 0.26, 0.42), d.uniform("cabin", 0.45, 0.75)
    back, slope, roof = d.uniform("where", -0.35, 0.15), d.uniform("slope", 0.1, 0.6), d.uniform("roof", 0.3, 0.45)
    return [
        Part("body", "box", (0.8, tall, long), (0, 0, 0)),
        Part("cabin", "box", (0.7, roof, long * cabin), (0, tall + roof, back), taper=(0.2, slope), color=1),
        *_wheels(d.uniform("wheel", 0.34, 0.5), 0.8, long * 0.62, -tall, color=2),
        Part("bumper", "box", (0.65, 0.15, 0.16), (0, -tall * 0.5, long), color=2),
    ]


def aeroplane(d: Draws) -> list[Part]:
    """An aeroplane with swept wings, some with jets."""
    span, thick, long = d.uniform("span", 1.2, 1.7), d.uniform("thick", 0.3, 0.46), d.uniform("long", 1.3, 1.7)
    wing, high, sweep = (0.12, span / 2, 0.42), d.uniform("high", -0.15, 0.2), d.uniform("sweep", 0, 35)
    jets, hang, tail = d.chance("jets", 0.5), high - 0.28, (0.12, 0.4, 0.26)
    return [
        Part("fuselage", "ellipsoid", (thick, thick, long), (0, 0, 0)),
        *_pair("wing", "box", wing, (0, high, 0.25), up=3, sweep=sweep, taper=(0, d.uniform("point", 0, 0.6)), color=1),
        *_pair("tailplane", "box", tail, (0, 0.1, 0.2 - long), up=5, sweep=sweep, color=1),
        Part("fin", "box", (0.12, 0.42, 0.32), (0, 0.42, 0.2 - long), (-20, 0, 0), (0, 0.5), color=2),
        *_pair("jet", "frustum", (0.19, 0.32, 0.19), (0.62, hang, 0.6), up=0, sweep=90, color=2, present=jets),
    ]


def fish(d: Draws) -> list[Part]:
    """A fish with fins and a tail."""
    long, tall, wide = d.uniform("long", 0.9, 1.5), d.uniform("tall", 0.55, 0.9), d.uniform("wide", 0.32, 0.5)
    tail, fork = (0.13, 0.45, d.uniform("fork", 0.5, 0.95)), (0, d.uniform("waist", 0.5, 0.9))
    return [
        Part("body", "ellipsoid", (wide, tall, long), (0, 0, 0)),
        Part("tail", "box", tail, (0, 0, -long - 0.15), (90, 0, 0), fork, color=1),
        Part("back fin", "box", (0.13, 0.35, long * 0.45), (0, tall, -0.1), (-15, 0, 0), (0, 0.7), color=1),
        *_pair("fin", "box", (0.13, 0.32, 0.25), (wide * 0.7, -0.2, 0.2), up=-35, sweep=40, color=1),
        Part("left eye", "ellipsoid", (0.17, 0.17, 0.17), (-wide * 0.65, tall * 0.2, long * 0.66), color=2),
        Part("right eye", "ellipsoid", (0.17, 0.17, 0.17), (wide * 0.65, tall * 0.2, long * 0.66), color=2),
    ]


def dog(d: Draws) -> list[Part]:
    """A dog on four legs, with head, ears and tail."""
    long, leg, thick = d.uniform("long", 0.8, 1.3), d.uniform("leg", 0.5, 1.0), d.uniform("thick", 0.4, 0.6)
    neck, snout = thick + d.uniform("neck", 0.2, 0.5), d.uniform("snout", 0.2, 0.35)
    ear, droop = (0.12, 0.28, 0.16), d.uniform("droop", -80, 70)
    return [
        Part("body", "ellipsoid", (thick, thick, long), (0, 0, 0)),
        Part("head", "ellipsoid", (0.42, 0.42, 0.46), (0, neck, long), color=1),
        Part("muzzle", "box", (0.22, 0.18, snout), (0, neck - 0.12, long + 0.35 + snout), color=1),
        *_pair("ear", "box", ear, (0.3, neck + 0.25, long - 0.05), up=droop, color=2),
        *_corners("leg", 0.16, leg / 2, thick * 0.6, long * 0.62, -thick * 0.5 - leg / 2),
        Part("tail", "box", (0.13, d.uniform("tail", 0.3, 0.6), 0.13), (0, thick + 0.2, -long), (-30, 0, 0), color=2),
    ]


def house(d: Draws) -> list[Part]:
    """A house with a roof and a chimney."""
    wide, tall, deep = d.uniform("wide", 0.7, 1.2), d.uniform("tall", 0.45, 1.0), d.uniform("deep", 0.7, 1.2)
    roof, side = d.uniform("roof", 0.35, 0.8), d.sign("side")
    eaves, hip = (wide + 0.18, roof, deep + 0.18), (1.0, d.uniform("hip", 0, 0.8))
    return [
        Part("walls", "box", (wide, tall, deep), (0, 0, 0)),
        Part("roof", "box", eaves, (0, tall + roof, 0), taper=hip, color=1),
        Part("chimney", "box", (0.2, 0.5, 0.2), (0.5 * wide * side, tall + roof + 0.2, 0.2), color=2),
        Part("door", "box", (0.27, 0.38, 0.15), (0, 0.38 - tall, deep), color=2),
        Part("shed", "box", (0.4, 0.35, 0.5), (-side * (wide + 0.3), 0.35 - tall, 0), present=d.chance("shed", 0.5)),
    ]


def tree(d: Draws) -> list[Part]:
    """A tree with a trunk and a crown."""
    trunk, wide, fir = d.uniform("trunk", 0.35, 0.8), d.uniform("wide", 0.8, 1.15), d.chance("fir", 0.5)
    crown, left, right = d.uniform("crown", 0.6, 1.0), d.uniform("left", 0.2, 0.8), d.uniform("right", 0.5, 1.2)
    cone: dict[str, Any] = {"kind": "frustum", "taper": (0.85, 0.85), "present": fir}
    ball: dict[str, Any] = {"kind": "ellipsoid", "present": ~fir}
    return [
        Part("trunk", "frustum", (0.24, trunk, 0.24), (0, -trunk, 0), taper=(0.2, 0.2), color=1),
        Part("low cone", half=(wide, 0.6, wide), at=(0, 0.3, 0), **cone),
        Part("middle cone", half=(wide * 0.8, 0.55, wide * 0.8), at=(0, 0.9, 0), **cone),
        Part("top cone", half=(wide * 0.6, 0.6, wide * 0.6), at=(0, 1.5, 0), **cone),
        Part("crown", half=(wide * 0.85, crown, wide * 0.85), at=(0, 0.7, 0), **ball),
        Part("left bough", half=(0.6, 0.45, 0.55), at=(-wide * 0.7, left, 0.2), **ball),
        Part("right bough", half=(0.55, 0.5, 0.6), at=(wide * 0.6, right, -0.3), **ball),
    ]


def person(d: Draws) -> list[Part]:
    """A person with arms and legs."""
    leg, body, wide = d.uniform("leg", 0.7, 1.1), d.uniform("body", 0.45, 0.7), d.uniform("wide", 0.34, 0.55)
    head, stride, thin = d.uniform("head", 0.28, 0.42), d.uniform("stride", -35, 35), (0.15, 0.5, 0.15)
    shoulder, hip, top = (wide * 0.85, body * 0.8, 0), (wide * 0.5, -body * 0.9, 0), body + 1.1 * head
    low, high = d.uniform("left", -80, 60), d.uniform("right", -80, 60)
    return [
        Part("torso", "frustum", (wide, body, 0.3), (0, 0, 0), taper=(-0.2, 0)),
        Part("head", "ellipsoid", (head, head * 1.15, head), (0, top, 0), color=2),
        Part("hat", "dome", (head * 1.2, head, head * 1.2), (0, top + 0.15, 0), color=1, present=d.chance("hat", 0.5)),
        Part("left leg", "frustum", (0.22, leg / 2, 0.22), **_limb(-1, hip, leg / 2, -86, stride), color=1),
        Part("right leg", "frustum", (0.22, leg / 2, 0.22), **_limb(1, hip, leg / 2, -86, -stride), color=1),
        Part("left arm", "frustum", thin, **_limb(-1, shoulder, 0.5, low, -stride)),
        Part("right arm", "frustum", thin, **_limb(1, shoulder, 0.5, high, stride)),
    ]


def boat(d: Draws) -> list[Part]:
    """A boat with a mast and sails, some with a jib."""
    long, mast, wide = d.uniform("long", 1.0, 1.5), d.uniform("mast", 0.75, 1.2), d.uniform("wide", 0.42, 0.7)
    sail: dict[str, Any] = {"kind": "box", "taper": (0, 0.95), "color": 2}
    return [
        Part("hull", "box", (wide, 0.32, long), (0, 0, 0), (180, 0, 0), (0.5, d.uniform("keel", 0.2, 0.5))),
        Part("mast", "box", (0.12, mast, 0.12), (0, mast, 0.1), color=1),
        Part("mainsail", half=(0.11, mast * 0.75, 0.7), at=(0, mast * 1.15, -0.5), **sail),
        Part("jib", half=(0.11, mast * 0.6, 0.45), at=(0, mast, 0.6), present=d.chance("jib", 0.6), **sail),
        Part("cabin", "box", (0.3, 0.2, 0.3), (0, 0.45, 0.5 * long), color=1, present=d.chance("cabin", 0.6)),
    ]


def mushroom(d: Draws) -> list[Part]:
    """A mushroom with a stem and a cap."""
    stem, wide, cap = d.uniform("stem", 0.35, 0.75), d.uniform("wide", 0.9, 1.3), d.uniform("cap", 0.6, 1.1)
    thick, young = d.uniform("thick", 0.32, 0.55), d.chance("young", 0.5)
    spot: dict[str, Any] = {"kind": "ellipsoid", "half": (0.26, 0.2, 0.26), "color": 2}
    return [
        Part("stem", "frustum", (thick, stem, thick), (0, -stem, 0), taper=(0.25, 0.25), color=1),
        Part("cap", "dome", (wide, cap, wide), (0, -0.1, 0)),
        Part("front spot", at=(0.2, cap * 0.75, wide * 0.55), **spot),
        Part("left spot", at=(-wide * 0.65, cap * 0.6, -0.1), **spot),
        Part("right spot", at=(wide * 0.55, cap * 0.65, -0.4), **spot),
        Part("young stem", "frustum", (0.18, 0.35, 0.18), (wide * 0.8, 0.35 - 2 * stem, 0), color=1, present=young),
        Part("young cap", "dome", (0.45, 0.4, 0.45), (wide * 0.8, 0.6 - 2 * stem, 0), present=young),
    ]


def rocket(d: Draws) -> list[Part]:
    """A rocket with fins."""
    tall, wide, fin = d.uniform("tall", 0.65, 1.05), d.uniform("wide", 0.42, 0.62), d.uniform("fin", 0.4, 0.7)
    blade = (wide + fin, d.uniform("root", 0.4, 0.6), 0.13)
    fins: dict[str, Any] = {"kind": "box", "half": blade, "taper": (0.7, 0.0), "color": 1}
    nose, base = d.uniform("nose", 0.4, 0.7), -tall + 0.15
    return [
        Part("body", "frustum", (wide, tall, wide), (0, 0, 0)),
        Part("nose", "frustum", (wide, nose, wide), (0, tall + nose, 0), taper=(1.0, 1.0), color=1),
        Part("fins", at=(0, base, 0), turn=(0, 45, 0), **fins),
        Part("cross fins", at=(0, base, 0), turn=(0, -45, 0), **fins),
        Part("window", "ellipsoid", (0.24, 0.24, 0.15), (0, tall * 0.4, wide), color=2),
        Part("nozzle", "frustum", (wide * 0.8, 0.2, wide * 0.8), (0, -tall - 0.15, 0), taper=(0.4, 0.4), color=2),
    ]


def snowman(d: Draws) -> list[Part]:
    """A snowman of stacked balls."""
    low, mid, top = d.uniform("low", 0.7, 1.0), d.uniform("mid", 0.45, 0.7), d.uniform("top", 0.34, 0.5)
    waist, neck = low + mid * 0.7, low + mid * 1.4 + top * 0.75
    hat, arms = d.chance("hat", 0.7), d.chance("arms", 0.6)
    branch, shoulder = (0.12, 0.4, 0.12), (mid * 0.9, waist + 0.1, 0)
    return [
        Part("base", "ellipsoid", (low, low, low), (0, 0, 0)),
        Part("chest", "ellipsoid", (mid, mid, mid), (0, waist, 0)),
        Part("head", "ellipsoid", (top, top, top), (0, neck, 0)),
        Part("brim", "frustum", (top * 1.3, 0.12, top * 1.3), (0, neck + top * 0.7, 0), color=1, present=hat),
        Part("hat", "frustum", (top * 0.8, 0.3, top * 0.8), (0, neck + top * 0.7 + 0.3, 0), color=1, present=hat),
        Part("nose", "frustum", (0.15, 0.3, 0.15), (0, neck, top + 0.2), (90, 0, 0), (0.9, 0.9), color=2),
        *_pair("arm", "box", branch, shoulder, up=d.uniform("wave", -20, 50), color=2, present=arms),
    ]


def lamp(d: Draws) -> list[Part]:
    """A lamp with a foot and a shade."""
    pole, shade, wide = d.uniform("pole", 0.7, 1.1), d.uniform("shade", 0.4, 0.65), d.uniform("wide", 0.65, 1.0)
    foot, vase, narrow = d.uniform("foot", 0.45, 0.75), d.uniform("vase", 0.25, 0.45), d.uniform("narrow", 0.2, 0.6)
    return [
        Part("foot", "frustum", (foot, 0.13, foot), (0, -pole, 0), color=1),
        Part("pole", "frustum", (0.14, pole, 0.14), (0, 0, 0), color=1),
        Part("shade", "frustum", (wide, shade, wide), (0, pole + shade * 0.6, 0), taper=(narrow, narrow)),
        Part("vase", "ellipsoid", (vase, pole * 0.4, vase), (0, -pole * 0.5, 0), color=2, present=d.chance("pot", 0.5)),
    ]


def table(d: Draws) -> list[Part]:
    """A table on legs."""
    wide, deep, leg = d.uniform("wide", 0.85, 1.5), d.uniform("deep", 0.65, 1.1), d.uniform("leg", 0.8, 1.5)
    box, pot = d.chance("box", 0.4), d.chance("pot", 0.4)
    return [
        Part("top", "box", (wide, 0.14, deep), (0, 0, 0)),
        *_corners("leg", 0.15, leg / 2, wide * 0.85, deep * 0.8, -leg / 2, color=1),
        Part("box", "box", (0.3, 0.22, 0.3), (d.uniform("where", -0.7, -0.2), 0.3, 0.2), color=2, present=box),
        Part("pot", "frustum", (0.2, 0.3, 0.2), (d.uniform("aside", 0.1, 0.7), 0.4, -0.2), color=2, present=pot),
    ]


def bird(d: Draws) -> list[Part]:
    """A bird with wings and a beak."""
    span, up, fat = d.uniform("span", 0.9, 1.4), d.uniform("up", 10, 60), d.uniform("fat", 0.38, 0.58)
    wing, fan = (0.12, span / 2, d.uniform("chord", 0.4, 0.6)), (0.12, 0.42, d.uniform("fan", 0.3, 0.5))
    return [
        Part("body", "ellipsoid", (fat, fat, 0.9), (0, 0, 0), (-15, 0, 0)),
        Part("head", "ellipsoid", (0.34, 0.34, 0.36), (0, 0.45, 0.75)),
        Part("beak", "frustum", (0.16, d.uniform("beak", 0.2, 0.4), 0.16), (0, 0.4, 1.25), (90, 0, 0), (1, 1), color=2),
        *_pair("wing", "box", wing, (fat * 0.5, 0.2, 0.1), up=up, sweep=15, taper=(0, 0.6), color=1),
        Part("tail", "box", fan, (0, -0.2, -1.05), (90, 0, 90), (0, 0.6), color=2),
    ]


def bottle(d: Draws) -> list[Part]:
    """A bottle with a neck."""
    tall, wide, neck = d.uniform("tall", 0.6, 1.1), d.uniform("wide", 0.42, 0.7), d.uniform("neck", 0.25, 0.5)
    slope, label, where = d.uniform("slope", 0.3, 0.6), wide * 1.06, d.uniform("where", -0.2, 0.2)
    return [
        Part("body", "frustum", (wide, tall, wide), (0, 0, 0)),
        Part("shoulder", "dome", (wide, slope, wide), (0, tall, 0)),
        Part("neck", "frustum", (0.22, neck, 0.22), (0, tall + slope * 0.8 + neck, 0)),
        Part("cap", "frustum", (0.28, 0.16, 0.28), (0, tall + slope * 0.8 + 2 * neck, 0), color=1),
        Part("label", "frustum", (label, tall * 0.45, label), (0, where, 0), color=2, present=d.chance("label", 0.7)),
    ]


def teapot(d: Draws) -> list[Part]:
    """A teapot with spout and handle."""
    fat, tall, spout = d.uniform("fat", 0.7, 1.0), d.uniform("tall", 0.55, 0.95), d.uniform("spout", 35, 65)
    return [
        Part("belly", "ellipsoid", (fat, tall, fat), (0, 0, 0)),
        Part("lid", "dome", (0.5, 0.28, 0.5), (0, tall * 0.85, 0), color=1),
        Part("knob", "ellipsoid", (0.18, 0.18, 0.18), (0, tall + 0.25, 0), color=2),
        Part("spout", "frustum", (0.26, 0.5, 0.26), (fat + 0.2, 0.15, 0), (0, 0, -spout), (0.4, 0.4), color=1),
        Part("handle", "box", (0.15, tall * 0.6, 0.16), (-fat - 0.35, 0.05, 0), color=1),
        Part("upper arm", "box", (0.3, 0.14, 0.15), (-fat - 0.12, tall * 0.55, 0), color=1),
        Part("lower arm", "box", (0.3, 0.14, 0.15), (-fat - 0.12, -tall * 0.45, 0), color=1),
    ]


def hammer(d: Draws) -> list[Part]:
    """A hammer with a handle and a head."""
    shaft, head, thick = d.uniform("shaft", 0.8, 1.3), d.uniform("head", 0.6, 0.95), d.uniform("thick", 0.26, 0.38)
    bend = d.uniform("bend", 65, 110)
    return [
        Part("shaft", "frustum", (0.18, shaft, 0.18), (0, 0, 0)),
        Part("head", "box", (head * 0.7, thick, thick), (0, shaft, 0), color=1),
        Part("face", "frustum", (thick * 1.35, 0.2, thick * 1.35), (head * 0.85, shaft, 0), (0, 0, 90), color=1),
        Part("claw", "box", (thick, 0.42, thick), (-head, shaft, 0), (0, 0, bend), (0.8, 0), color=1),
        Part("grip", "frustum", (0.26, shaft * 0.4, 0.26), (0, -shaft * 0.6, 0), color=2),
    ]


def robot(d: Draws) -> list[Part]:
    """A robot of boxes, with arms and legs."""
    body, wide, head = d.uniform("body", 0.45, 0.75), d.uniform("wide", 0.5, 0.8), d.uniform("head", 0.34, 0.52)
    arm, foot, top = (0.17, 0.5, 0.17), (0.2, 0.42, 0.28), body + head * 1.8
    ball, hip, shoulder = d.chance("ball", 0.8), (wide * 0.6, 0.1 - body, 0.05), (wide + 0.18, body * 0.7, 0)
    left, right = d.uniform("left", -100, 30), d.uniform("right", -100, 30)
    return [
        Part("body", "box", (wide, body, 0.45), (0, 0, 0)),
        Part("head", "box", (head, head * 0.8, head * 0.8), (0, body + head * 0.85, 0), color=1),
        Part("antenna", "box", (0.12, 0.22, 0.12), (0, top + 0.05, 0), color=2, present=ball),
        Part("ball", "ellipsoid", (0.2, 0.2, 0.2), (0, top + 0.35, 0), color=2, present=ball),
        Part("left arm", "box", arm, **_limb(-1, shoulder, 0.5, -90, left), color=2),
        Part("right arm", "box", arm, **_limb(1, shoulder, 0.5, -90, right), color=2),
        *_pair("foot", "box", foot, hip, up=-90, taper=(-0.25, -0.4), color=1),
    ]


def cactus(d: Draws) -> list[Part]:
    """A cactus with arms."""
    tall, high, low = d.uniform("tall", 0.8, 1.3), d.uniform("high", 0.0, 0.5), d.uniform("low", -0.5, 0.1)
    thick, long, pot = d.uniform("thick", 0.26, 0.4), d.uniform("long", 0.3, 0.55), d.uniform("pot", 0.5, 0.7)
    return [
        Part("trunk", "frustum", (thick, tall, thick), (0, 0, 0)),
        Part("crown", "dome", (thick, thick, thick), (0, tall, 0)),
        Part("left branch", "box", (0.32, 0.18, 0.18), (-0.5, low, 0)),
        Part("left arm", "frustum", (0.22, long, 0.22), (-0.8, low + long - 0.15, 0)),
        Part("right branch", "box", (0.32, 0.18, 0.18), (0.5, high, 0)),
        Part("right arm", "frustum", (0.22, 0.42, 0.22), (0.8, high + 0.27, 0)),
        Part("pot", "frustum", (pot, 0.35, pot), (0, -tall - 0.1, 0), taper=(-0.3, -0.3), color=1),
        Part("flower", "ellipsoid", (0.22, 0.2, 0.22), (0, tall + 0.4, 0), color=2, present=d.chance("flower", 0.6)),
    ]


def windmill(d: Draws) -> list[Part]:
    """A windmill with sails."""
    tall, sail, turn = d.uniform("tall", 0.75, 1.25), d.uniform("sail", 0.8, 1.25), d.uniform("turn", 0, 90)
    wide, hub = d.uniform("wide", 0.5, 0.75), (0, tall * 0.9, d.uniform("front", 0.6, 0.75))
    return [
        Part("tower", "frustum", (wide, tall, wide), (0, 0, 0), taper=(0.4, 0.4)),
        Part("cap", "dome", (wide * 0.7, 0.4, wide * 0.7), (0, tall, 0), color=1),
        Part("sails", "box", (sail, 0.2, 0.12), hub, (0, 0, turn), color=2),
        Part("cross sails", "box", (0.2, sail, 0.12), hub, (0, 0, turn), color=2),
        Part("hub", "ellipsoid", (0.2, 0.2, 0.3), hub, color=1),
        Part("door", "box", (0.22, 0.3, 0.12), (0, 0.3 - tall, wide * 0.9), color=1),
    ]


def flower(d: Draws) -> list[Part]:
    """A flower with petals on a stem."""
    stem, petal, tilt = d.uniform("stem", 0.7, 1.2), d.uniform("petal", 0.34, 0.54), d.uniform("tilt", 10, 50)
    lean, leaf, low = np.radians(tilt), (0.45, 0.14, 0.24), d.uniform("leaf", -1.2, -0.5)
    around = [(1.2 * petal * np.sin(a), 1.2 * petal * np.cos(a)) for a in 2 * np.pi * np.arange(5) / 5]
    petals = [(x, 0.3 + y * np.cos(lean), 0.15 - y * np.sin(lean)) for x, y in around]
    return [
        Part("stem", "box", (0.13, stem, 0.13), (0, 0.2 - stem, 0), color=1),
        *(Part("petal", "ellipsoid", (petal, petal, 0.2), at, (-tilt, 0, 0)) for at in petals),
        Part("heart", "ellipsoid", (petal * 0.75, petal * 0.75, 0.32), (0, 0.35, 0.2), (-tilt, 0, 0), color=2),
        Part("left leaf", "ellipsoid", leaf, (-0.4, low, 0), (0, 0, -30), color=1),
        Part("right leaf", "ellipsoid", leaf, (0.4, d.uniform("other leaf", -1.2, -0.5), 0), (0, 0, 30), color=1),
    ]


def train(d: Draws) -> list[Part]:
    """A steam engine with boiler, cab and funnel."""
    long, boiler, cab = d.uniform("long", 0.8, 1.2), d.uniform("boiler", 0.4, 0.6), d.uniform("cab", 0.3, 0.55)
    funnel, tall, back = d.uniform("funnel", 0.3, 0.55), d.uniform("tall", 0.6, 0.85), 0.1 - long
    return [
        Part("boiler", "frustum", (boiler, long, boiler), (0, 0, 0.4), (90, 0, 0)),
        Part("cab", "box", (0.6, tall, cab), (0, tall - 0.5, back), color=1),
        Part("roof", "box", (0.72, 0.13, cab + 0.15), (0, 2 * tall - 0.45, back), color=2),
        Part("funnel", "frustum", (0.2, funnel, 0.2), (0, boiler + funnel - 0.1, long), taper=(-0.6, -0.6), color=2),
        Part("dome", "dome", (0.27, 0.32, 0.27), (0, boiler * 0.9, 0.2), color=1),
        *_wheels(d.uniform("wheel", 0.3, 0.45), 0.55, long * 0.7, -boiler * 0.9, color=2),
        Part("buffer", "box", (0.6, 0.15, 0.13), (0, -boiler * 0.7, long + 0.45), color=1),
    ]


def _corners(name: str, thick: float, half: Number, x: Number, z: Number, y: Number, *, color: int = 0) -> list[Part]:
    """Four upright posts at the corners (+-x, +-z)."""
    size = (thick, half, thick)
    return [Part(name, "box", size, (sx * x, y, sz * z), color=color) for sx in (-1, 1) for sz in (-1, 1)]


def _wheels(radius: Number, x: Number, z: Number, y: Number, *, color: int) -> list[Part]:
    """Four wheels, their axles along x."""
    size, turn, sides = (radius, 0.16, radius), (0, 0, 90), (-1, 1)
    return [Part("wheel", "frustum", size, (sx * x, y, sz * z), turn, color=color) for sx in sides for sz in sides]


def _pair(name: str, kind: str, half: tuple, root: tuple, *, up: Number, sweep: Number = 0.0, **rest) -> list[Part]:
    """A left and a right limb, mirrored."""
    return [Part(name, kind, half, **_limb(side, root, half[1], up, sweep), **rest) for side in (-1, 1)]


def _limb(side: int, root: tuple[Number, Number, Number], half: Number, up: Number, sweep: Number = 0.0) -> dict:
    """Place and turn of a part whose y axis runs outwards from its root, raised `up` degrees and swept `sweep` back."""
    rise, back = np.radians(up), np.radians(sweep)
    x = root[0] + half * np.cos(back) * np.cos(rise)
    at = (side * x, root[1] + half * np.cos(back) * np.sin(rise), root[2] - half * np.sin(back))
    return {"at": at, "turn": (-sweep, 0.0, side * (up - 90))}


CATEGORIES: dict[str, Category] = {
    one.__name__: one
    for one in (
        mug, chair, car, aeroplane, fish, dog, house, tree, person, boat, mushroom, rocket,
        snowman, lamp, table, bird, bottle, teapot, hammer, robot, cactus, windmill, flower, train,
    )
}  # fmt: skip
