"""A web application on a socket, until the process is told to end."""

import asyncio
import logging
import signal
import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from crnn_mindspore.errors import UserError
from crnn_mindspore.serving.limits import Limits
from crnn_mindspore.signals import ending_signals, handled

_LAST_PORT = 65535

_logger = logging.getLogger(__name__)


def open_socket(host: str, port: int) -> socket.socket:
    """A socket bound to an address, not yet listening.

    Args:
        host: Name or address, IPv4 or IPv6.
        port: 0 for a free one.

    Raises:
        UserError: If the address does not exist here or is in use.
    """
    if port > _LAST_PORT:
        raise UserError(f"port is {port}, must be at most {_LAST_PORT}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except (OSError, UnicodeError) as error:  # the latter for a name that no host can have
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot listen on host {host}, port {port}: {reason}") from None
    return bound


def create_server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """The server for an application: HTTP/1.1, one process, one event loop."""

    class Protocol(_TimedProtocol):
        header_seconds = limits.header_seconds

    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=limits.shutdown_seconds,
        )
    )


def serve(server: uvicorn.Server, listener: socket.socket) -> None:
    """Answers requests until a signal asks to end, then finishes those in flight.

    Raises:
        KeyboardInterrupt: After SIGINT.
    """
    host, port = listener.getsockname()[:2]

    def end(*_: object) -> None:
        server.should_exit = True

    # A signal is the usual way to end a server, not a failure. Uvicorn ends gracefully and then raises the
    # signal again for whoever handled it before; by default that would kill the process with its status.
    with handled(end, [number for number in ending_signals() if number != signal.SIGINT]):
        listener.listen()  # whoever reads the next line may connect
        _logger.info("serving on http://%s:%d", f"[{host}]" if ":" in host else host, port)
        server.run(sockets=[listener])


class _TimedProtocol(HttpToolsProtocol):
    """Closes a connection whose client does not send the head of its next request in time.

    Uvicorn bounds only the time between an answer and the first byte after it, so a client that sends its
    head byte by byte, or nothing, would keep a connection for ever.
    """

    header_seconds = 10.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # else the next request is in work already
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.header_seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
