"""Arguments of public functions, held to the types that their annotations say.

>>> from envs.arguments import typed
>>> @typed
... def wait(steps: int): ...
>>> wait("4")
Traceback (most recent call last):
envs.errors.SettingError: steps='4' is a str; give a whole number, as in 4
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from types import UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin

from envs.errors import SettingError

P = ParamSpec("P")
R = TypeVar("R")
LONGEST = 60  # signs of a value that a message shows
KINDS = {  # what is asked for, by the name of a type
    "int": "a whole number, as in 4",
    "float": "a number, as in 0.5",
    "bool": "True or False",
    "str": "text",
    "Path": "a path",
    "NoneType": "None",
    "Callable": "a function",
    "Mapping": "a dict, as in {'NAME': VALUE}",
    "Sequence": "a list",
    "Iterable": "a list",
    "list": "a list",
    "tuple": "a tuple",
    "type": "a class",
    "device": "a device, as in 'cpu'",
    "Spec": "a learners.Spec",
    "Env": "an environment, as from gymnasium.make(ID)",
    "VectorEnv": "worlds, as from gymnasium.make_vec(ID, num_envs=N)",
}


def typed(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, which raises SettingError where an argument is not of the type that its annotation says.

    Numbers of numpy's are passed on as Python's.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # which says so in its own name
        for name, value in bound.arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                bound.arguments[name] = tuple(fitting(name, one, parameter.annotation) for one in value)
            elif parameter.kind is not parameter.VAR_KEYWORD:
                bound.arguments[name] = fitting(name, value, parameter.annotation)
        return function(*bound.args, **bound.kwargs)

    return checked


def fitting(name: str, value: Any, annotation: Any) -> Any:
    """The value of an argument or field; a number of numpy's as Python's. Raises SettingError: not of that type."""
    value = _plain(value)
    if _fits(value, annotation):
        return value
    shown = repr(value)
    shown = name if value is None or len(shown) > LONGEST or "\n" in shown else f"{name}={shown}"
    what = "does not fit" if isinstance(value, list | tuple | dict) else f"is {a_kind(value)}"
    raise SettingError(f"{shown} {what}; give {', or '.join(_kinds(annotation))}")


def a_kind(value: object) -> str:
    """What a value is, for a message: `a str`, `an int`, `None`."""
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}"


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    return int(value) if isinstance(value, Integral) else float(value) if isinstance(value, Real) else value


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a value is of a type; of what an annotation does not say as a class, anything is."""
    of, inner = get_origin(annotation) or annotation, get_args(annotation)
    if of in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if of in (int, float):
        return isinstance(value, Integral if of is int else Real) and not isinstance(value, bool)
    if of in (inspect.Parameter.empty, Any) or not isinstance(of, type):
        return True
    is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    if of is tuple:  # files and command lines have lists
        return is_list
    if of in (list, Sequence, Iterable) and is_list:
        return all(_fits(one, kind) for one in value for kind in inner)
    return isinstance(value, of) and not (of in (Sequence, Iterable) and isinstance(value, str | bytes | Mapping))


def _kinds(annotation: Any) -> dict[str, None]:
    """What is asked for by an annotation, in words, each once."""
    of, inner = get_origin(annotation) or annotation, get_args(annotation)
    if of in (Union, UnionType):
        return {kind: None for one in inner for kind in _kinds(one)}
    name = getattr(of, "__name__", str(annotation))
    each = f", each {' or '.join(_kinds(inner[0]))}" if inner and of in (list, Sequence, Iterable) else ""
    return {KINDS.get(name, name) + each: None}
