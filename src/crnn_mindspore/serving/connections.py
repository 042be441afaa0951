"""The connections of a server: how many there are, and how long each may keep the server waiting.

Uvicorn bounds neither the head of a request nor the time in which an answer is taken, and has no limit
before a head is complete. A guard stands between the socket and uvicorn's protocol, with asyncio's interface
to both; that a request is being answered it hears from the application.
"""

import asyncio
import json
import logging
import os
import socket
import struct
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from crnn_mindspore.serving.framing import Framing, Refusal
from crnn_mindspore.serving.limits import Limits

STATE_KEY = "connection"  # of an ASGI scope's state

_SWEEP_SECONDS = 0.25
_READ_BYTES = 64 << 10  # at a time, so that each connection has its turn
_FULL = Refusal(503, "too many connections; try again")
_BACKLOG = 128
_FREE_FILES = 8  # for everything but connections
_COMPLAINT_SECONDS = 60.0

_logger = logging.getLogger(__name__)


class Connections:
    """All connections of one server.

    Where there are as many as may be, a new one takes the place of the one that has been waited for longest:
    for a head, for a body, or to take its answer. If the server works for all of them, it is refused.

    Args:
        limits: See there.
        on_end: Called with the reason, in one or two words, of each connection that the server ends.
    """

    def __init__(self, limits: Limits, on_end: Callable[[str], None] = lambda _: None) -> None:
        self.limits = limits
        self.backlog, self.most = _room_for(limits.connections)
        self.on_end = on_end
        self._all: set[Guard] = set()
        self._is_sweeping = False

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    def admit(self, guard: "Guard") -> bool:
        """Takes a connection in, in place of another if need be; False if there is no room."""
        if len(self._all) >= self.most:
            waited_for = [other for other in self._all if other.is_waited_for]
            if not waited_for:
                self.on_end("refused")
                return False
            min(waited_for, key=lambda other: other.since).end("replaced")
        self._all.add(guard)
        if not self._is_sweeping:
            self._is_sweeping = True
            asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)
        return True

    def remove(self, guard: "Guard") -> None:
        """Forgets a connection that is over."""
        self._all.discard(guard)

    def _sweep(self) -> None:
        """Ends those that keep the server waiting for too long."""
        now = time.monotonic()
        for guard in list(self._all):
            guard.check(now)
        self._is_sweeping = bool(self._all)
        if self._is_sweeping:
            asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)


class Guard(asyncio.BufferedProtocol):
    """Stands before uvicorn's protocol on one connection.

    Args:
        connections: Those of its server.
        app_state: What uvicorn puts into each request's scope, which gets this guard.
        arguments: Uvicorn's, passed on.

    Attributes:
        since: Time of the monotonic clock of the last answer, of the connection's begin before the first.
    """

    def __init__(self, connections: Connections, *, app_state: dict[str, Any], **arguments: Any) -> None:
        self.since = time.monotonic()
        self._connections = connections
        self._limits = connections.limits
        self._server = HttpToolsProtocol(app_state={**app_state, STATE_KEY: self}, **arguments)
        self._framing = Framing()
        self._buffer = bytearray(_READ_BYTES)
        self._transport: asyncio.Transport
        self._answers = 0  # complete
        self._has_begun_to_answer = False
        self._is_admitted = self._is_refused = False
        self._unread_since: float | None = None

    @property
    def is_waited_for(self) -> bool:
        """Whether the server waits for this client: for a request, or to take an answer."""
        return self._framing.ended <= self._answers or self._unread_since is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Lets uvicorn know, or refuses."""
        self._transport = transport
        if self._connections.admit(self):
            self._is_admitted = True
            self._server.connection_made(transport)
            return
        self._is_refused = True
        transport.write(_answer(_FULL))
        transport.close()

    def get_buffer(self, _: int) -> bytearray:
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        """Judges what has arrived, and passes it on."""
        if self._is_refused:
            return  # read away, so that the client sees why
        data = bytes(memoryview(self._buffer)[:size])
        refusal = self._framing.feed(data)
        if refusal is not None:
            self._refuse(refusal)
        else:
            self._server.data_received(data)

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        self._server.eof_received()
        return None

    def pause_writing(self) -> None:
        """The client takes its answer too slowly for the buffer."""
        self._server.pause_writing()

    def resume_writing(self) -> None:
        """It has taken most."""
        self._server.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._connections.remove(self)
        if self._is_admitted:
            self._server.connection_lost(exc)

    def begins_to_answer(self) -> None:
        """The application sends the head of an answer."""
        self._has_begun_to_answer = True

    def has_answered(self) -> None:
        """The application is done with a request."""
        self._answers += 1
        self._framing.forget_head()
        self._has_begun_to_answer = False
        self.since = time.monotonic()
        self._unread_since = None

    def check(self, now: float) -> None:
        """Ends the connection if its client keeps the server waiting for too long."""
        if self._transport.get_write_buffer_size() == 0:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since > self._limits.write_seconds:
            self.end("answer not taken")
        if self._is_refused:
            if now - self.since > self._limits.discard_seconds:
                self._transport.abort()
        elif self._framing.begun <= self._answers and now - self.since > self._limits.header_seconds:
            self._connections.on_end("no request")
            self._transport.close()

    def end(self, reason: str) -> None:
        """Ends the connection at once, and drops what the system still holds for its client."""
        self._connections.on_end(reason)
        self._connections.remove(self)
        if (connection := self._transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _refuse(self, refusal: Refusal) -> None:
        """Says why, unless that would stand within another answer, and reads on for a while."""
        self._connections.on_end(f"status {refusal.status}")
        if self._framing.begun - self._answers > 1 or self._has_begun_to_answer:
            self._transport.abort()
            return
        self._is_refused, self.since = True, time.monotonic()
        self._is_admitted = False
        self._server.connection_lost(ConnectionAbortedError(refusal.reason))  # it answers nothing more
        self._transport.write(_answer(refusal))
        if self._transport.can_write_eof():
            self._transport.write_eof()


def quiet_complaints() -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """An event loop's handler of exceptions that says once a minute that connections cannot be accepted.

    asyncio reports each attempt with a traceback, thousands of times a second.
    """
    said = -_COMPLAINT_SECONDS

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal said
        if not isinstance(context.get("exception"), OSError) or "accept" not in str(context.get("message")):
            loop.default_exception_handler(context)
        elif time.monotonic() - said > _COMPLAINT_SECONDS:
            said = time.monotonic()
            _logger.warning("connections cannot be accepted: %s", context["exception"])

    return handle


def _room_for(wanted: int) -> tuple[int, int]:
    """How many connections may wait to be accepted, and how many may be, by the files it may open."""
    try:
        import resource

        may_open = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        free = may_open - len(os.listdir("/proc/self/fd"))
    except (ImportError, OSError):
        return _BACKLOG, wanted
    if may_open == resource.RLIM_INFINITY:
        return _BACKLOG, wanted
    backlog = max(1, min(_BACKLOG, free // 8))
    # All that wait are accepted at once, before the first of them is counted, and again a moment later.
    most = max(1, min(wanted, free - _FREE_FILES - 2 * backlog))
    if most < wanted:
        _logger.warning(
            "%d connections at a time, not %d: this process may open %d files", most, wanted, may_open
        )
    return backlog, most


def _answer(refusal: Refusal) -> bytes:
    body = json.dumps({"detail": refusal.reason}).encode()
    lines = (
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(["Retry-After: 1"] if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else []),
    )
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body
