"""Rendering processes: each makes its share of an endless series of images and sends them in chunks."""

import multiprocessing
import queue
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np
import torch

from benchmarks.twin.pool import Chunk
from benchmarks.twin.worker import Series, work
from crnn_mindspore.errors import UserError

_CHUNKS_WAITING = 64
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # fcntl's F_SETPIPE_SZ


class Rendering:
    """Processes that render a series, and the chunks that have arrived.

    Args:
        series: What.
        processes: How many.
        is_pinned: Whether chunks are put into memory from which a device copies by itself.
    """

    def __init__(self, series: Series, processes: int, is_pinned: bool = False) -> None:
        context = multiprocessing.get_context("spawn")
        self._chunks: queue.Queue[Chunk | str] = queue.Queue(0 if series.count else _CHUNKS_WAITING)
        self._is_pinned = is_pinned
        self._is_stopped = False
        self._is_finite = series.count > 0
        self.series = series
        self._processes = []
        self._connections: list[Connection] = []
        for number in range(processes):
            receiver, sender = context.Pipe(duplex=False)
            _widen(receiver)
            process = context.Process(
                target=work, args=(sender, series, number, processes), daemon=True, name=f"render-{number}"
            )
            process.start()
            sender.close()
            self._processes.append(process)
            self._connections.append(receiver)
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def poll(self) -> Chunk | None:
        """A chunk that waits, if there is one."""
        with suppress(queue.Empty):
            return self._checked(self._chunks.get_nowait())
        return None

    def next(self) -> Chunk:
        """The next chunk, once it is there."""
        return self._checked(self._chunks.get())

    def all(self) -> list[Chunk]:
        """Every chunk of a series that has an end."""
        self._thread.join()
        return list(iter(self.poll, None))

    def stop(self) -> None:
        """Ends the processes."""
        self._is_stopped = True
        for process in self._processes:
            process.terminate()

    def _checked(self, found: Chunk | str) -> Chunk:
        if isinstance(found, str):
            raise UserError(found)
        return found

    def _receive(self) -> None:
        open_ends: list[Any] = list(self._connections)
        while open_ends:
            for connection in wait(open_ends):
                try:
                    images, targets, lengths, left_out = connection.recv()
                except (EOFError, OSError):
                    open_ends.remove(connection)
                    number = self._connections.index(connection)
                    self._processes[number].join()
                    if self._processes[number].exitcode != 0 and not self._is_stopped:
                        print(f"rendering process {number} ended with status "
                              f"{self._processes[number].exitcode}", file=sys.stderr, flush=True)  # fmt: skip
                    continue
                pair = [torch.from_numpy(images), torch.from_numpy(targets)]
                if self._is_pinned:
                    pair = [tensor.pin_memory() for tensor in pair]
                self._chunks.put(Chunk(*pair, lengths, left_out))
        if not (self._is_finite or self._is_stopped):
            self._chunks.put("all rendering processes have ended")


def join(chunks: Sequence[Chunk]) -> Chunk:
    """Several chunks of one width as one."""
    return Chunk(
        torch.cat([chunk.images for chunk in chunks]),
        torch.cat([chunk.targets for chunk in chunks]),
        np.concatenate([chunk.lengths for chunk in chunks]),
        sum(chunk.left_out for chunk in chunks),
    )


def _widen(connection: Connection) -> None:
    """Lets a pipe hold a whole chunk, where the system allows it, so that its sender can go on."""
    with suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(connection.fileno(), _SET_PIPE_SIZE, _PIPE_BYTES)
