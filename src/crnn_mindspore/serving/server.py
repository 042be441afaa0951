"""A web application on a socket, until the process is told to end."""

import asyncio
import logging
import signal
import socket
from collections.abc import Sequence
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from crnn_mindspore.errors import UserError
from crnn_mindspore.serving.connections import Connections, Guard, quiet_complaints
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


def create_server(app: ASGIApp, connections: Connections) -> uvicorn.Server:
    """The server for an application: HTTP/1.1, one process, one event loop.

    Args:
        app: The application.
        connections: Guard it.
    """
    logging.getLogger("python_multipart").setLevel(
        logging.ERROR
    )  # what clients do wrong is counted, not logged
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=partial(Guard, connections),  # type: ignore[arg-type] # a class, to uvicorn
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing here asks who sent a request, and anybody can claim to be a proxy
            backlog=connections.backlog,
            timeout_graceful_shutdown=connections.limits.shutdown_seconds,
        )
    )


def run(server: uvicorn.Server, listeners: Sequence[socket.socket]) -> None:
    """Answers requests at these sockets until the server is told to end, then finishes those in flight."""

    async def answer() -> None:
        asyncio.get_running_loop().set_exception_handler(quiet_complaints())
        await server.serve(sockets=list(listeners))

    asyncio.run(answer())


def serve(server: uvicorn.Server, listeners: Sequence[socket.socket]) -> None:
    """Answers requests until a signal asks to end, then finishes those in flight.

    Args:
        server: See `create_server`.
        listeners: Bound sockets; the first is announced, the second, if there is one, as that of the metrics.

    Raises:
        KeyboardInterrupt: After SIGINT.
    """

    def end(*_: object) -> None:
        server.should_exit = True

    # A signal is the usual way to end a server, not a failure. Uvicorn ends gracefully and then raises the
    # signal again for whoever handled it before; by default that would kill the process with its status.
    with handled(end, [number for number in ending_signals() if number != signal.SIGINT]):
        for listener, what in zip(listeners, ("serving", "metrics"), strict=False):
            listener.listen()  # whoever reads the next line may connect
            host, port = listener.getsockname()[:2]
            _logger.info("%s on http://%s:%d", what, f"[{host}]" if ":" in host else host, port)
        run(server, listeners)
