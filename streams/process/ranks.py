"""The processes that one command runs in: one alone, or the W ranks that `torchrun` has started, as torch numbers them.

Ranks exchange what they need by `torch.distributed`: gloo on CPUs, nccl on GPUs. Every rank makes the same exchanges in
the same order.
"""

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from io import StringIO
from signal import SIGTERM
from time import monotonic, sleep
from traceback import print_exception
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from envs.errors import SettingError
from streams.process.signals import Stop
from streams.process.terminal import one_line

START_S = 600.0  # in which all ranks must have come
UPDATE_S = 600.0  # in which all ranks must have come to one exchange within an update
PATIENT_S = 7 * 86_400.0  # likewise between updates, where rank 0 scores and the others wait
FAREWELL_S = 5.0  # in which a rank says that it is still there, once another is missed
OWN_ROWS = "own_rows"  # ends the name of what a report says of a rank's own embeddings: 0, or NaN
PR_SET_PDEATHSIG = 1  # of Linux: the signal that a process gets when the one that started it dies
STOPPED = 128  # exit statuses beyond say that a signal came, and all is saved
FOLDER = "contiguity/folder/"  # key in the store of a folder that a restarted command goes on with


class RankLostError(SettingError):
    """Another rank has gone; the message names it."""


class Ranks:
    """One process alone: what it would exchange is what it has. `JoinedRanks` are several."""

    rank, size = 0, 1

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which scores, writes and prints."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        return flag

    def gather(self, value: Any) -> list[Any]:
        """The plain value of every rank; waits for as long as rank 0 may score."""
        return [value]

    def counts(self, count: int) -> list[int]:
        """The count of every rank."""
        return [count]

    def sum_(self, tensor: Tensor) -> Tensor:
        """The tensor itself, with the sum over ranks in place of its own values: the same bits on every rank."""
        return tensor

    def gather_rows(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """The rows (m, ...) of all ranks, of which there are `counts`, in the order of ranks."""
        return rows

    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """Puts rank 0's values in place of these tensors' own."""

    def own_device(self, device: torch.device) -> torch.device:
        """The device itself; of several GPUs, this rank's own. Raises SettingError: there is none."""
        return device

    def share(self, total: int, setting: str) -> range:
        """This rank's part of `range(total)`. Raises SettingError: it can't be shared out evenly."""
        each, rest = divmod(total, self.size)
        if rest or not each:
            fewer, more = max(each, 1) * self.size, (each + 1) * self.size
            raise SettingError(
                f"{setting}={total} can't be shared out evenly by {self.size} ranks; try "
                f"{f'{fewer} or {more}' if each else fewer}, or another --nproc-per-node"
            )
        return range(self.rank * each, (self.rank + 1) * each)

    def remember_folder(self, command: str, folder: str) -> None:
        """Notes the folder that a command writes to, in case that it is started again."""

    def folder_before(self, command: str) -> str | None:
        """The folder that the command wrote to before `torchrun` started it again; None the first time."""
        return None

    def launcher(self) -> list[str]:
        """The words before `-m MODULE` with which as many processes are started."""
        return ["python"]

    def __deepcopy__(self, memo: dict) -> "Ranks":
        """Copies of what learns are measured by one rank, alone."""
        return Ranks()


class JoinedRanks(Ranks):
    """This process as one of several. Raises SettingError: the others did not come in time.

    All but rank 0 are silent: what one of them would have printed last, before it ended with an error, is told by the
    lowest rank that is left.
    """

    def __init__(self):
        self.rank, self.size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self.local_rank = int(os.environ.get("LOCAL_RANK", self.rank))
        self._on_gpu = (
            torch.cuda.is_available() and dist.is_nccl_available() and self.local_rank < torch.cuda.device_count()
        )
        if self._on_gpu:
            torch.cuda.set_device(self.local_rank)
        self._silent, self._folder = None if self.first else _silenced(), "FOLDER"
        try:
            store, *_ = next(iter(dist.rendezvous("env://", timeout=timedelta(seconds=START_S))))
            self._lasting_store = getattr(store, "underlying_store", store)  # which all starts of one torchrun share
            self._store = dist.PrefixStore(f"start{restarts()}", self._lasting_store)
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if self._on_gpu else "gloo",
                store=self._store,
                rank=self.rank,
                world_size=self.size,
                timeout=timedelta(seconds=UPDATE_S),
            )
            self._patient: Any = dist.new_group(backend="gloo", timeout=timedelta(seconds=PATIENT_S))
        except (RuntimeError, ValueError, OSError) as error:
            raise self._not_started(error) from error

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, torch.cuda.OutOfMemoryError):
                raise
            raise self._lost() from error

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        flags = torch.tensor([int(flag)])
        with self._exchange():
            dist.all_reduce(flags, dist.ReduceOp.MAX, group=self._patient)
        return bool(flags)

    def gather(self, value: Any) -> list[Any]:
        """The plain value of every rank; waits for as long as rank 0 may score."""
        values: list[Any] = [None] * self.size
        with self._exchange():
            dist.all_gather_object(values, value, group=self._patient)
        return values

    def counts(self, count: int) -> list[int]:
        """The count of every rank."""
        counts = torch.empty(self.size, dtype=torch.int64)
        with self._exchange():
            dist.all_gather(list(counts.split(1)), torch.tensor([count]))
        return counts.tolist()

    def sum_(self, tensor: Tensor) -> Tensor:
        """The tensor itself, with the sum over ranks in place of its own values: the same bits on every rank."""
        assert tensor.is_contiguous()
        with self._exchange():
            dist.all_reduce(tensor)
        return tensor

    def gather_rows(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """The rows (m, ...) of all ranks, of which there are `counts`, in the order of ranks."""
        if rows.dtype == torch.bool:
            return self.gather_rows(rows.view(torch.uint8), counts).view(torch.bool)
        most = max(counts)
        own = rows.contiguous()
        if len(rows) < most:
            own = torch.cat([own, own.new_zeros(most - len(own), *own.shape[1:])])
        gathered = own.new_empty(self.size * most, *own.shape[1:])
        with self._exchange():
            dist.all_gather(list(gathered.split(most)), own)
        if min(counts) == most:
            return gathered
        return torch.cat([part[:count] for part, count in zip(gathered.split(most), counts, strict=True)])

    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """Puts rank 0's values in place of these tensors' own."""
        for tensor in tensors:
            with self._exchange(), torch.no_grad():
                values = tensor.detach().contiguous()
                dist.broadcast(values, 0)
                tensor.copy_(values)

    def own_device(self, device: torch.device) -> torch.device:
        """The device itself; of several GPUs, this rank's own. Raises SettingError: there is none."""
        if device.type != "cuda":
            return device
        if self.local_rank >= torch.cuda.device_count():
            raise SettingError(
                f"device={device} gives each rank a GPU of its own, and there are {torch.cuda.device_count()} for rank "
                f"{self.rank}; try --nproc-per-node={torch.cuda.device_count()}, or device=cpu"
            )
        return torch.device("cuda", self.local_rank)

    def remember_folder(self, command: str, folder: str) -> None:
        """Notes the folder that a command writes to, in case that it is started again."""
        self._folder = folder
        if self.first:
            self._lasting_store.set(FOLDER + command, folder)

    def folder_before(self, command: str) -> str | None:
        """The folder that the command wrote to before `torchrun` started it again; None the first time."""
        key = FOLDER + command
        with self._exchange():
            return self._lasting_store.get(key).decode() if self._lasting_store.check([key]) else None

    def close(self) -> None:
        """Leaves, with no error.

        No thread of the groups is left: one that let go of a tensor while Python ends would abort the process.
        """
        self._patient = None
        dist.destroy_process_group()

    def leave(self, text: str) -> None:
        """Says to the others why this rank ends before its time."""
        with suppress(RuntimeError):
            self._store.set(f"left/{self.rank}", text or "it ended with an error")
        if not self._on_gpu:  # where closing would wait for what other ranks may never do
            self.close()

    def launcher(self) -> list[str]:
        """`torchrun`, with as many processes on as many machines."""
        each = int(os.environ.get("LOCAL_WORLD_SIZE", self.size))
        if each == self.size:
            return ["torchrun", "--standalone", f"--nproc-per-node={each}"]
        return ["torchrun", f"--nnodes={self.size // each}", f"--nproc-per-node={each}", "--rdzv-endpoint=HOST:29500"]

    def last_words(self) -> str:
        """The last line that this rank would have printed on stderr, were it not silent."""
        return self._silent.getvalue().strip().rpartition("\n")[2] if self._silent else ""

    def _lost(self) -> RankLostError:
        """The error that names who is missed, after every rank that is left has said so."""
        here, words = self._roll_call()
        gone = [rank for rank in range(self.size) if rank not in here and rank not in words]
        lines = [f"rank {rank}: {text}" for rank, text in sorted(words.items()) if rank]
        lines += [f"rank {', '.join(map(str, gone))} has gone (killed, or too little memory)"] if gone else []
        resuming = "all ranks stop; what the last checkpoint holds can be resumed "
        resuming += f"by {self.size} ranks with run.resume={self._folder}"
        text = "; ".join([*lines, resuming])
        if here and min(here) == self.rank and self.rank and lines:
            print(one_line(text), file=sys.__stderr__)
        return RankLostError(text)

    def _roll_call(self) -> tuple[list[int], dict[int, str]]:
        """The ranks that are left, and what those said that ended by themselves."""
        here, words, end = {self.rank}, dict[int, str](), monotonic() + FAREWELL_S
        with suppress(RuntimeError):
            self._store.set(f"here/{self.rank}", "")
            while len(here | words.keys()) < self.size and monotonic() < end:
                for rank in {*range(self.size)} - here - words.keys():
                    if self._store.check([f"left/{rank}"]):
                        words[rank] = self._store.get(f"left/{rank}").decode()
                    elif self._store.check([f"here/{rank}"]):
                        here.add(rank)
                sleep(0.05)
        return sorted(here), words

    def _not_started(self, error: Exception) -> SettingError:
        sys.stderr = sys.__stderr__  # for no other rank would tell
        where, why = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}", str(error).partition("\n")[0]
        return SettingError(
            f"rank {self.rank} of {self.size} did not meet the others at {where} within {START_S:.0f} s "
            f"({one_line(why)[:200]}); see that all are started, and that the port is free"
        )


class SharedStop(Stop):
    """A Stop that is true on all ranks or on none: `agree` says whether a signal has come to any of them."""

    def __init__(self, ranks: Ranks, after: str = "update"):
        super().__init__(after)
        self._ranks, self._agreed = ranks, False

    def __bool__(self) -> bool:
        return self._agreed

    def agree(self) -> None:
        """Called by all ranks after each update."""
        if self._ranks.any(bool(self.signal)):
            signals = self._ranks.gather(self.signal)
            self.signal, self._agreed = max(signals), True


_present = Ranks()


def present() -> Ranks:
    """The ranks of this process: those that it has joined, or itself alone."""
    return _present


def restarts() -> int:
    """How often `torchrun` has started this command again."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def join() -> Ranks:
    """Joins the ranks that `torchrun` started with this process, if there are any; once.

    Raises SettingError: the environment does not say where they meet, or they do not come.
    """
    global _present
    size = os.environ.get("WORLD_SIZE", "")
    if isinstance(_present, JoinedRanks) or not size or (size == "1" and "RANK" not in os.environ):
        return _present
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if missing:
        raise SettingError(
            f"WORLD_SIZE={size} asks for ranks, which need {' and '.join(missing)} too; start them with torchrun "
            "--nproc-per-node=W -m learners.online ..."
        )
    if "TORCHELASTIC_RUN_ID" in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGTERM)  # should torchrun die of a signal that it does not hand on
    _present = joined = JoinedRanks()
    if joined.size > 1:
        sys.excepthook = joined_excepthook
    return joined


@contextmanager
def joined() -> Iterator[Ranks]:
    """Within it, this process is one of the ranks that `torchrun` started, if any; the others hear of it if it fails.

    Raises SettingError: as `join`.
    """
    ranks = join()
    if not isinstance(ranks, JoinedRanks):
        yield ranks
        return
    try:
        yield ranks
    except SystemExit as error:
        if error.code and not (isinstance(error.code, int) and error.code > STOPPED):
            ranks.leave(ranks.last_words())
        else:
            ranks.close()
        raise
    except BaseException as error:
        ranks.leave(f"{type(error).__name__}: {error}")
        raise


def joined_excepthook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Shows the traceback of a fault of ours on any rank."""
    print_exception(kind, error, trace, file=sys.__stderr__)


def _silenced() -> StringIO:
    """Text that goes to stdout is dropped, and to stderr, kept here."""
    sys.stdout, sys.stderr = open(os.devnull, "w"), StringIO()  # noqa: PTH123, SIM115  for as long as it runs
    return sys.stderr
