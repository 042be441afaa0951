"""What is done around every answer: who may ask, what is counted, and what a page may do with it."""

import time
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crnn_mindspore.serving.browsers import BrowserRules
from crnn_mindspore.serving.connections import STATE_KEY, Guard
from crnn_mindspore.serving.framing import Refusal
from crnn_mindspore.serving.metrics import Metrics

METRICS_PATH = "/metrics"

_STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The page under /docs is FastAPI's, with a script inside; all of its files come from this server, too.
_DOCS = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class WrappedApp:
    """An ASGI application with its answers counted and safe headers added.

    Args:
        app: The application.
        metrics: What counts.
        paths: Paths counted under their own name; all others are one, so that a client cannot make names.
        rules: On names and pages.
        metrics_port: Where the metrics are, and nothing else; None if they are beside the rest.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        paths: Iterable[str],
        rules: BrowserRules,
        metrics_port: int | None = None,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = frozenset(paths)
        self._rules = rules
        self._metrics_port = metrics_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on; one without an answer counts as status 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection: Guard | None = scope.get("state", {}).get(STATE_KEY)
        app = self._app
        if refusal := self._refusal(scope):
            app = JSONResponse({"detail": refusal.reason}, refusal.status)
        status, start = 500, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if connection is not None:
                    connection.begins_to_answer()
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _DOCS if scope["path"] == "/docs" else _STRICT
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
            await send(message)

        try:
            await app(scope, receive, watched)
        finally:
            if connection is not None:
                connection.has_answered()
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.count_request(path, status, time.perf_counter() - start)

    def _refusal(self, scope: Scope) -> Refusal | None:
        if self._metrics_port is not None:
            is_asked_there = (scope.get("server") or ("", None))[1] == self._metrics_port
            if is_asked_there != (scope["path"] == METRICS_PATH):
                return Refusal(404, "Not Found")
        return self._rules.refusal(scope["method"], Headers(scope=scope))
