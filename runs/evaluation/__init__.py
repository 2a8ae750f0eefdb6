"""Tasks, probes and their scores. Every module is imported here, so that a probe in one is known by its name."""

from importlib import import_module
from pkgutil import iter_modules

for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")
