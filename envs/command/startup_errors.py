"""What a command says when it ends while it is starting: before its own handling of errors has been imported."""

import re
import sys
from types import TracebackType

NEEDED = ("gymnasium", "torch", "numpy", "warp", "kornia", "omegaconf", "hydra", "zarr", "rich")  # by every command
TOO_MUCH = re.compile(  # of numpy, torch, Warp, OpenMP and the dynamic linker
    "allocate memory|out of memory|[Ff]ailed to allocate|ALLOC_FAILED|start new thread|map segment|Resource temporarily"
)


def one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The hook for an error that nobody caught: Ctrl-C and too little memory are one line, all else as ever."""
    if issubclass(kind, KeyboardInterrupt):
        print("stopped while starting; nothing was begun", file=sys.stderr)  # noqa: T201
    elif of_memory(error):
        print(f"not enough memory to start ({' '.join(str(error).split())[:100]})", file=sys.stderr)  # noqa: T201
    elif isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in NEEDED:
        way_out = "activate the environment first, as in: source .venv/bin/activate"
        print(f"{error.name} is not installed for {sys.executable}; {way_out}", file=sys.stderr)  # noqa: T201
    elif isinstance(error, OSError) and error.filename and not isinstance(error, FileNotFoundError):
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
    else:
        sys.__excepthook__(kind, error, trace)


def of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of the CPU or a GPU, or threads have run out."""
    return isinstance(error, MemoryError) or bool(TOO_MUCH.search(str(error)))


if sys.argv[:1] == ["-m"]:  # Python is about to run one of our commands, and imports the packages around it first
    sys.excepthook = one_line
