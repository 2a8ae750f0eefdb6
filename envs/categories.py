"""What there is in the world: each category is a function from draws to the parts of M of its instances.

Add one of your own: write a function, put it in CATEGORIES. Sizes are free (objects are brought to one size), y is up,
z is the front. A name drawn twice gives the same
number.
"""

import numpy as np

from envs.draws import Draws
from envs.objects import Category, Number, Part


def mug(d: Draws) -> list[Part]:
    tall, wide, grip = d.uniform("tall", 0.8, 1.2), d.uniform("wide", 0.65, 0.9), d.uniform("grip", 0.3, 0.45)
    return [
        Part("body", "frustum", (wide, tall, wide), (0, 0, 0), taper=(d.uniform("flare", -0.2, 0.2),) * 2),
        Part("drink", "frustum", (wide * 0.8, 0.06, wide * 0.8), (0, tall, 0), color=1),
        Part("handle", "box", (0.14, tall * 0.55, 0.14), (wide + grip, 0, 0), color=2),
        Part("upper arm", "box", (grip / 2 + 0.1, 0.13, 0.13), (wide + grip / 2, tall * 0.45, 0), color=2),
        Part("lower arm", "box", (grip / 2 + 0.1, 0.13, 0.13), (wide + grip / 2, -tall * 0.45, 0), color=2),
    ]


def chair(d: Draws) -> list[Part]:
    wide, tall, leg = d.uniform("wide", 0.7, 1.0), d.uniform("back", 0.8, 1.4), d.uniform("leg", 0.6, 1.0)
    return [
        Part("seat", "box", (wide, 0.12, 0.85), (0, 0, 0)),
        Part("back", "box", (wide, tall / 2, 0.12), (0, tall / 2, -0.8), (d.uniform("lean", -15, 0), 0, 0), color=1),
        *_corners("leg", 0.11, leg / 2, wide * 0.85, 0.72, -leg / 2),
        Part("left arm", "box", (0.1, 0.3, 0.7), (-wide, 0.35, 0), color=2, present=d.chance("arms", 0.4)),
        Part("right arm", "box", (0.1, 0.3, 0.7), (wide, 0.35, 0), color=2, present=d.chance("arms", 0.4)),
    ]


def table(d: Draws) -> list[Part]:
    wide, deep, leg = d.uniform("wide", 1.2, 1.8), d.uniform("deep", 0.8, 1.2), d.uniform("leg", 0.7, 1.2)
    return [
        Part("top", "box", (wide, 0.1, deep), (0, 0, 0)),
        *_corners("leg", 0.12, leg / 2, wide * 0.85, deep * 0.8, -leg / 2),
        Part(
            "box",
            "box",
            (0.3, 0.2, 0.3),
            (d.uniform("where", -0.8, 0.8), 0.3, 0),
            color=2,
            present=d.chance("box", 0.4),
        ),
    ]


def car(d: Draws) -> list[Part]:
    long, tall, cabin = d.uniform("long", 1.4, 1.9), d.uniform("tall", 0.28, 0.42), d.uniform("cabin", 0.5, 0.7)
    wheel, back = d.uniform("wheel", 0.32, 0.45), d.uniform("where", -0.4, 0.2)
    slope = d.uniform("slope", 0.2, 0.6)
    return [
        Part("body", "box", (0.8, tall, long), (0, 0, 0)),
        Part("cabin", "box", (0.7, 0.36, long * cabin), (0, tall + 0.34, back), taper=(0.15, slope), color=1),
        *_wheels(wheel, 0.8, long * 0.62, -tall, color=2),
    ]


def aeroplane(d: Draws) -> list[Part]:
    span, thick, sweep = d.uniform("span", 1.5, 2.1), d.uniform("thick", 0.26, 0.38), d.uniform("sweep", 0, 35)
    wing = {"kind": "box", "half": (span / 2, 0.09, 0.36), "color": 1}
    return [
        Part("fuselage", "ellipsoid", (thick, thick, 1.8), (0, 0, 0)),
        Part("left wing", at=(-span / 2, 0, 0.2), turn=(0, sweep, 0), **wing),
        Part("right wing", at=(span / 2, 0, 0.2), turn=(0, -sweep, 0), **wing),
        Part("tail", "box", (0.09, 0.42, 0.3), (0, 0.45, -1.5), color=2, taper=(0, 0.5)),
        Part("tailplane", "box", (0.7, 0.08, 0.25), (0, 0.1, -1.5), color=1),
        Part("nose", "ellipsoid", (thick * 0.6, thick * 0.7, 0.6), (0, thick * 0.5, 1.0), color=2),
    ]


def fish(d: Draws) -> list[Part]:
    long, tall = d.uniform("long", 1.1, 1.6), d.uniform("tall", 0.55, 0.9)
    return [
        Part("body", "ellipsoid", (0.36, tall, long), (0, 0, 0)),
        Part("tail", "box", (0.12, d.uniform("fork", 0.5, 0.95), 0.38), (0, 0, -long - 0.2), color=1),
        Part("back fin", "box", (0.1, 0.35, long * 0.45), (0, tall, -0.1), taper=(0, 0.7), color=1),
        Part("left eye", "ellipsoid", (0.14, 0.16, 0.16), (-0.26, tall * 0.2, long * 0.66), color=2),
        Part("right eye", "ellipsoid", (0.14, 0.16, 0.16), (0.26, tall * 0.2, long * 0.66), color=2),
    ]


def dog(d: Draws) -> list[Part]:
    long, leg, thick = d.uniform("long", 0.9, 1.4), d.uniform("leg", 0.5, 1.1), d.uniform("thick", 0.38, 0.55)
    return [
        Part("body", "ellipsoid", (thick, thick, long), (0, 0, 0)),
        Part("head", "ellipsoid", (0.42, 0.4, 0.48), (0, thick + 0.3, long + 0.05), color=1),
        Part("muzzle", "box", (0.2, 0.17, 0.3), (0, thick + 0.18, long + 0.55), color=1),
        Part("left ear", "box", (0.1, 0.28, 0.14), (-0.36, thick + 0.5, long), color=2),
        Part("right ear", "box", (0.1, 0.28, 0.14), (0.36, thick + 0.5, long), color=2),
        *_corners("leg", 0.14, leg / 2, thick * 0.6, long * 0.66, -thick * 0.5 - leg / 2, color=0),
        Part("tail", "box", (0.1, d.uniform("tail", 0.3, 0.55), 0.1), (0, thick + 0.2, -long), (-30, 0, 0), color=2),
    ]


def house(d: Draws) -> list[Part]:
    wide, tall, deep = d.uniform("wide", 0.8, 1.2), d.uniform("tall", 0.5, 0.9), d.uniform("deep", 0.7, 1.2)
    roof, side = d.uniform("roof", 0.4, 0.8), d.sign("side")
    return [
        Part("walls", "box", (wide, tall, deep), (0, 0, 0)),
        Part(
            "roof",
            "box",
            (wide + 0.15, roof, deep + 0.15),
            (0, tall + roof, 0),
            taper=(1.0, d.uniform("hip", 0, 0.6)),
            color=1,
        ),
        Part("chimney", "box", (0.15, 0.4, 0.15), (0.5 * wide * side, tall + roof + 0.2, 0.3), color=2),
        Part("door", "box", (0.22, 0.4, 0.06), (0, 0.4 - tall, deep), color=2),
    ]


def tree(d: Draws) -> list[Part]:
    trunk, wide, fir = d.uniform("trunk", 0.5, 1.0), d.uniform("wide", 0.8, 1.1), d.chance("fir", 0.5)
    round_ = ~fir
    return [
        Part("trunk", "frustum", (0.2, trunk, 0.2), (0, -trunk, 0), taper=(0.2, 0.2), color=1),
        Part("low cone", "frustum", (wide, 0.6, wide), (0, 0.3, 0), taper=(0.9, 0.9), present=fir),
        Part("mid cone", "frustum", (wide * 0.8, 0.6, wide * 0.8), (0, 0.9, 0), taper=(0.9, 0.9), present=fir),
        Part("top cone", "frustum", (wide * 0.6, 0.6, wide * 0.6), (0, 1.5, 0), taper=(1.0, 1.0), present=fir),
        Part("crown", "ellipsoid", (wide, 0.9, wide), (0, 0.7, 0), present=round_),
        Part("bough", "ellipsoid", (0.6, 0.5, 0.6), (0.5, d.uniform("bough", 0.2, 1.1), 0.4), color=2, present=round_),
    ]


def mushroom(d: Draws) -> list[Part]:
    stem, wide = d.uniform("stem", 0.5, 1.0), d.uniform("wide", 0.9, 1.3)
    thick = d.uniform("thick", 0.25, 0.45)
    return [
        Part("stem", "frustum", (thick, stem, thick), (0, -stem, 0), taper=(0.3, 0.3), color=1),
        Part("cap", "dome", (wide, d.uniform("cap", 0.5, 1.0), wide), (0, -0.1, 0)),
        Part("spot", "ellipsoid", (0.25, 0.2, 0.25), (0.35, 0.45, 0.45), color=2),
        Part("other spot", "ellipsoid", (0.22, 0.2, 0.22), (-0.5, 0.38, 0.1), color=2),
        Part("third spot", "ellipsoid", (0.2, 0.2, 0.2), (0.1, 0.4, -0.6), color=2),
    ]


def rocket(d: Draws) -> list[Part]:
    tall, wide, fin = d.uniform("tall", 1.0, 1.4), d.uniform("wide", 0.36, 0.52), d.uniform("fin", 0.35, 0.6)
    fins = {"kind": "box", "half": (wide + fin, 0.45, 0.1), "taper": (0.7, 0.0), "color": 1}
    return [
        Part("body", "frustum", (wide, tall, wide), (0, 0, 0)),
        Part("nose", "frustum", (wide, 0.5, wide), (0, tall + 0.5, 0), taper=(1.0, 1.0), color=1),
        Part("fins", at=(0, -tall + 0.2, 0), **fins),
        Part("cross fins", at=(0, -tall + 0.2, 0), turn=(0, 90, 0), **fins),
        Part("window", "ellipsoid", (0.2, 0.2, 0.12), (0, tall * 0.5, wide), color=2),
        Part("nozzle", "frustum", (wide * 0.8, 0.18, wide * 0.8), (0, -tall - 0.15, 0), taper=(0.4, 0.4), color=2),
    ]


def snowman(d: Draws) -> list[Part]:
    low, mid, top = d.uniform("low", 0.75, 1.0), d.uniform("mid", 0.5, 0.7), d.uniform("top", 0.34, 0.48)
    waist, neck = low + mid * 0.75, low + mid * 1.5 + top * 0.8
    return [
        Part("base", "ellipsoid", (low, low, low), (0, 0, 0)),
        Part("chest", "ellipsoid", (mid, mid, mid), (0, waist, 0)),
        Part("head", "ellipsoid", (top, top, top), (0, neck, 0)),
        Part("brim", "frustum", (top * 1.2, 0.07, top * 1.2), (0, neck + top * 0.7, 0), color=1),
        Part("hat", "frustum", (top * 0.75, 0.28, top * 0.75), (0, neck + top * 0.7 + 0.3, 0), color=1),
        Part("nose", "frustum", (0.12, 0.3, 0.12), (0, neck, top + 0.2), (90, 0, 0), (0.9, 0.9), color=2),
    ]


def person(d: Draws) -> list[Part]:
    leg, body, wide = d.uniform("leg", 0.7, 1.1), d.uniform("body", 0.5, 0.7), d.uniform("wide", 0.36, 0.55)
    lift, head = d.uniform("lift", 10, 120), d.uniform("head", 0.28, 0.4)
    arm = {"kind": "box", "half": (0.12, 0.5, 0.13), "color": 0}
    return [
        Part("torso", "box", (wide, body, 0.25), (0, 0, 0), taper=(-0.2, 0)),
        Part("head", "ellipsoid", (head, head * 1.1, head), (0, body + head, 0), color=2),
        Part("left leg", "box", (0.17, leg / 2, 0.18), (-wide * 0.55, -body - leg / 2, 0), color=1),
        Part("right leg", "box", (0.17, leg / 2, 0.18), (wide * 0.55, -body - leg / 2, 0), color=1),
        Part("left arm", at=_swung(-1, wide * 1.1, body * 0.8, 0.5, lift), turn=(0, 0, -lift), **arm),
        Part("right arm", at=_swung(1, wide * 1.1, body * 0.8, 0.5, lift), turn=(0, 0, lift), **arm),
    ]


def bird(d: Draws) -> list[Part]:
    span, up, fat = d.uniform("span", 0.9, 1.4), d.uniform("up", 5, 40), d.uniform("fat", 0.34, 0.5)
    wing = {"kind": "box", "half": (span / 2, 0.08, 0.45), "color": 1}
    return [
        Part("body", "ellipsoid", (fat, fat, 0.9), (0, 0, 0)),
        Part("head", "ellipsoid", (0.32, 0.32, 0.34), (0, 0.35, 0.85)),
        Part("beak", "frustum", (0.13, 0.22, 0.13), (0, 0.3, 1.3), (90, 0, 0), (1, 1), color=2),
        Part("left wing", at=_swung(-1, fat * 0.6, 0.15, span / 2, 90 + up), turn=(0, 0, -up), **wing),
        Part("right wing", at=_swung(1, fat * 0.6, 0.15, span / 2, 90 + up), turn=(0, 0, up), **wing),
        Part("tail", "box", (0.3, 0.08, 0.4), (0, 0.05, -1.1), (15, 0, 0), color=2),
    ]


def bottle(d: Draws) -> list[Part]:
    tall, wide, neck = d.uniform("tall", 0.7, 1.1), d.uniform("wide", 0.45, 0.65), d.uniform("neck", 0.3, 0.55)
    return [
        Part("body", "frustum", (wide, tall, wide), (0, 0, 0)),
        Part("shoulder", "dome", (wide, 0.45, wide), (0, tall, 0)),
        Part("neck", "frustum", (0.2, neck, 0.2), (0, tall + 0.3 + neck, 0)),
        Part("cap", "frustum", (0.25, 0.13, 0.25), (0, tall + 0.35 + 2 * neck, 0), color=1),
        Part(
            "label", "frustum", (wide * 1.03, tall * 0.45, wide * 1.03), (0, d.uniform("label", -0.2, 0.2), 0), color=2
        ),
    ]


def lamp(d: Draws) -> list[Part]:
    pole, shade, wide = d.uniform("pole", 0.6, 1.0), d.uniform("shade", 0.35, 0.6), d.uniform("wide", 0.7, 1.0)
    return [
        Part("foot", "frustum", (d.uniform("foot", 0.5, 0.75), 0.1, 0.6), (0, -pole, 0), color=1),
        Part("pole", "frustum", (0.11, pole, 0.11), (0, 0, 0), color=1),
        Part("shade", "frustum", (wide, shade, wide), (0, pole + shade * 0.5, 0), taper=(0.5, 0.5)),
        Part("bulb", "ellipsoid", (0.2, 0.2, 0.2), (0, pole - shade * 0.6, 0), color=2),
    ]


def boat(d: Draws) -> list[Part]:
    long, mast = d.uniform("long", 1.1, 1.6), d.uniform("mast", 0.9, 1.4)
    return [
        Part("hull", "box", (0.5, 0.3, long), (0, 0, 0), (180, 0, 0), (0.5, 0.35)),
        Part("mast", "box", (0.08, mast, 0.08), (0, mast, 0.1), color=1),
        Part("sail", "box", (0.07, mast * 0.8, 0.7), (0, mast * 1.1, -0.55), taper=(0, 1.0), color=2),
        Part("cabin", "box", (0.3, 0.2, 0.3), (0, 0.45, 0.55 * long), color=1, present=d.chance("cabin", 0.6)),
        Part(
            "jib",
            "box",
            (0.07, mast * 0.6, 0.4),
            (0, mast * 0.9, 0.6),
            taper=(0, 1.0),
            color=2,
            present=d.chance("jib", 0.6),
        ),
    ]


def teapot(d: Draws) -> list[Part]:
    fat, tall, spout = d.uniform("fat", 0.75, 0.95), d.uniform("tall", 0.55, 0.85), d.uniform("spout", 40, 65)
    return [
        Part("belly", "ellipsoid", (fat, tall, fat), (0, 0, 0)),
        Part("lid", "dome", (0.45, 0.25, 0.45), (0, tall * 0.85, 0), color=1),
        Part("knob", "ellipsoid", (0.15, 0.15, 0.15), (0, tall + 0.22, 0), color=2),
        Part("spout", "frustum", (0.2, 0.5, 0.2), (fat + 0.2, 0.15, 0), (0, 0, -spout), (0.4, 0.4), color=1),
        Part("handle", "box", (0.12, tall * 0.6, 0.13), (-fat - 0.35, 0.05, 0), color=1),
        Part("upper arm", "box", (0.28, 0.12, 0.12), (-fat - 0.12, tall * 0.55, 0), color=1),
        Part("lower arm", "box", (0.28, 0.12, 0.12), (-fat - 0.12, -tall * 0.45, 0), color=1),
    ]


def hammer(d: Draws) -> list[Part]:
    shaft, head = d.uniform("shaft", 1.0, 1.4), d.uniform("head", 0.6, 0.95)
    return [
        Part("shaft", "frustum", (0.15, shaft, 0.15), (0, 0, 0)),
        Part("head", "box", (head * 0.7, 0.26, 0.28), (0, shaft, 0), color=1),
        Part("face", "frustum", (0.36, 0.16, 0.36), (head * 0.8, shaft, 0), (0, 0, 90), color=1),
        Part("claw", "box", (0.26, 0.4, 0.24), (-head, shaft, 0), (0, 0, 70), (0.8, 0), color=1),
        Part("grip", "frustum", (0.21, shaft * 0.35, 0.21), (0, -shaft * 0.6, 0), color=2),
    ]


def robot(d: Draws) -> list[Part]:
    body, wide, head = d.uniform("body", 0.5, 0.75), d.uniform("wide", 0.5, 0.75), d.uniform("head", 0.34, 0.5)
    foot = body + 0.42
    return [
        Part("body", "box", (wide, body, 0.45), (0, 0, 0)),
        Part("head", "box", (head, head * 0.8, head * 0.8), (0, body + head * 0.85, 0), color=1),
        Part("antenna", "box", (0.07, 0.25, 0.07), (0, body + head * 1.8 + 0.1, 0), color=2),
        Part("ball", "ellipsoid", (0.14, 0.14, 0.14), (0, body + head * 1.8 + 0.4, 0), color=2),
        Part(
            "left arm",
            "frustum",
            (0.16, 0.5, 0.16),
            (-wide - 0.2, 0, 0.1),
            (d.uniform("swing", -60, 60), 0, 0),
            color=2,
        ),
        Part(
            "right arm",
            "frustum",
            (0.16, 0.5, 0.16),
            (wide + 0.2, 0, 0.1),
            (d.uniform("other", -60, 60), 0, 0),
            color=2,
        ),
        Part("left foot", "box", (0.24, 0.45, 0.3), (-wide * 0.5, -foot, 0.1), color=1, taper=(0.3, 0.3)),
        Part("right foot", "box", (0.24, 0.45, 0.3), (wide * 0.5, -foot, 0.1), color=1, taper=(0.3, 0.3)),
    ]


def cactus(d: Draws) -> list[Part]:
    tall, high, low = d.uniform("tall", 0.9, 1.3), d.uniform("high", 0.0, 0.5), d.uniform("low", -0.5, 0.1)
    return [
        Part("trunk", "frustum", (0.3, tall, 0.3), (0, 0, 0)),
        Part("crown", "dome", (0.3, 0.3, 0.3), (0, tall, 0)),
        Part("left branch", "box", (0.3, 0.17, 0.17), (-0.5, low, 0)),
        Part("left arm", "frustum", (0.2, 0.42, 0.2), (-0.78, low + 0.3, 0)),
        Part("right branch", "box", (0.3, 0.17, 0.17), (0.5, high, 0)),
        Part("right arm", "frustum", (0.2, 0.42, 0.2), (0.78, high + 0.3, 0)),
        Part("pot", "frustum", (0.55, 0.35, 0.55), (0, -tall - 0.1, 0), taper=(-0.3, -0.3), color=1),
        Part("flower", "ellipsoid", (0.18, 0.16, 0.18), (0, tall + 0.35, 0), color=2, present=d.chance("flower", 0.6)),
    ]


def windmill(d: Draws) -> list[Part]:
    tall, sail, turn = d.uniform("tall", 0.9, 1.2), d.uniform("sail", 0.9, 1.2), d.uniform("turn", 0, 90)
    front = 0.62
    return [
        Part("tower", "frustum", (0.6, tall, 0.6), (0, 0, 0), taper=(0.4, 0.4)),
        Part("cap", "dome", (0.42, 0.4, 0.42), (0, tall, 0), color=1),
        Part("sails", "box", (sail, 0.16, 0.06), (0, tall * 0.9, front), (0, 0, turn), color=2),
        Part("cross sails", "box", (0.16, sail, 0.06), (0, tall * 0.9, front), (0, 0, turn), color=2),
        Part("hub", "ellipsoid", (0.15, 0.15, 0.22), (0, tall * 0.9, front), color=1),
        Part("door", "box", (0.2, 0.3, 0.1), (0, 0.3 - tall, 0.55), color=1),
    ]


def flower(d: Draws) -> list[Part]:
    stem, petal = d.uniform("stem", 0.7, 1.1), d.uniform("petal", 0.36, 0.5)
    ring = petal * 1.15
    petals = [(0.0, ring), (0.951 * ring, 0.309 * ring), (0.588 * ring, -0.809 * ring)]
    petals += [(-x, y) for x, y in petals[1:]]
    return [
        Part("stem", "box", (0.09, stem, 0.09), (0, -stem, 0), color=1),
        *(Part("petal", "ellipsoid", (petal, petal, 0.14), (x, 0.3 + y, 0.15)) for x, y in petals),
        Part("heart", "ellipsoid", (petal * 0.7, petal * 0.7, 0.25), (0, 0.3, 0.22), color=2),
        Part("leaf", "ellipsoid", (0.42, 0.13, 0.2), (0.4, d.uniform("leaf", -1.0, -0.5), 0), (0, 0, 30), color=1),
        Part(
            "other leaf",
            "ellipsoid",
            (0.42, 0.13, 0.2),
            (-0.4, d.uniform("leaf 2", -1.0, -0.5), 0),
            (0, 0, -30),
            color=1,
        ),
    ]


def train(d: Draws) -> list[Part]:
    long, boiler, cab = d.uniform("long", 0.9, 1.2), d.uniform("boiler", 0.42, 0.56), d.uniform("cab", 0.3, 0.5)
    return [
        Part("boiler", "frustum", (boiler, long, boiler), (0, 0, 0.4), (90, 0, 0)),
        Part("cab", "box", (0.6, 0.75, cab), (0, 0.25, -long + 0.1), color=1),
        Part("roof", "box", (0.7, 0.09, cab + 0.15), (0, 1.05, -long + 0.1), color=2),
        Part(
            "funnel",
            "frustum",
            (0.2, d.uniform("funnel", 0.25, 0.5), 0.2),
            (0, boiler + 0.3, 1.0),
            taper=(-0.6, -0.6),
            color=2,
        ),
        Part("dome", "dome", (0.25, 0.3, 0.25), (0, boiler * 0.9, 0.2), color=1),
        *_wheels(0.36, 0.55, long * 0.7, -boiler * 0.9, color=2),
        Part("buffer", "box", (0.6, 0.15, 0.1), (0, -boiler * 0.7, long + 0.45), color=1),
    ]


def _corners(name: str, thick: float, half: Number, x: Number, z: Number, y: Number, *, color: int = 0) -> list[Part]:
    """Four upright posts at the corners (+-x, +-z)."""
    size = (thick, half, thick)
    return [Part(name, "box", size, (sx * x, y, sz * z), color=color) for sx in (-1, 1) for sz in (-1, 1)]


def _wheels(radius: Number, x: Number, z: Number, y: Number, *, color: int) -> list[Part]:
    """Four wheels, their axles along x."""
    size = (radius, 0.14, radius)
    return [
        Part("wheel", "frustum", size, (sx * x, y, sz * z), (0, 0, 90), color=color) for sx in (-1, 1) for sz in (-1, 1)
    ]


def _swung(side: int, x: Number, y: Number, half: Number, degrees: Number) -> tuple[Number, Number, Number]:
    """Centre of a limb that hangs from (side * x, y) and is lifted sideways by an angle."""
    angle = np.radians(degrees)
    return side * (x + half * np.sin(angle)), y - half * np.cos(angle), 0.0


CATEGORIES: dict[str, Category] = {
    one.__name__: one
    for one in (
        mug, chair, car, aeroplane, fish, dog, house, tree, mushroom, rocket, snowman, lamp,
        person, table, bird, bottle, boat, teapot, hammer, robot, cactus, windmill, flower, train,
    )
}  # fmt: skip
