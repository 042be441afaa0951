"""What of a connection's bytes is head, body or framing: counted before the server sees them."""

from collections import deque
from dataclasses import dataclass

import httptools

# Of the heads of one connection that are not answered, of trailers, and of chunks' framing beyond a share of
# the body.
HEAD_BYTES = 64 << 10
MOST_AHEAD = 16  # requests sent while another is being answered
# Counted for each line beside its bytes, for what it costs to hold it.
# Source: RFC 9113, section 6.5.2, SETTINGS_MAX_HEADER_LIST_SIZE.
_LINE_BYTES = 32
_LEAST_BODY = 8  # bytes of a chunked body to one of its framing, beyond HEAD_BYTES


@dataclass(frozen=True)
class Refusal:
    """Why a connection is not read on: the status, and a sentence for the client."""

    status: int
    reason: str


_TOO_LARGE = Refusal(431, f"the head of the request is larger than {HEAD_BYTES:,} bytes")
_SMALL_CHUNKS = Refusal(400, "the chunks of the body are too small: most of it is framing")
_TOO_FAR_AHEAD = Refusal(429, f"more than {MOST_AHEAD} requests were sent ahead of their answers")
_NO_HTTP = Refusal(400, "this is not HTTP/1.1")


class _EndedError(Exception):
    """Ends the parser's work within a callback."""


class Framing:
    """Counts the requests of one connection, and judges what their heads, trailers and chunks cost.

    The methods `on_...` are callbacks of httptools. The parser is its own: the server, which has another one,
    gets only what was judged, and is not looked into.

    Attributes:
        begun: Requests whose head is complete.
        ended: Requests that arrived as a whole.
    """

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self._parser = httptools.HttpRequestParser(self)
        # As uvicorn's: what comes after a request that closes the connection is dropped.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._in_head = True
        self._head = 0  # bytes of this head, or of the trailers
        self._heads: deque[int] = deque()  # bytes of the heads before it that are not answered
        self._unfinished = 0  # bytes that came within one head that is not complete
        self._raw = self._body = 0  # bytes of this body with its framing, and without
        self._refusal: Refusal | None = None

    def feed(self, data: bytes) -> Refusal | None:
        """Takes what has arrived; the reason, if the connection is not to be read on."""
        in_head, ended = self._in_head, self.ended
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # asks for another protocol, and is answered in this one
        except httptools.HttpParserError:
            return self._refusal or _NO_HTTP
        if in_head != self._in_head or ended != self.ended:
            self._unfinished = 0
        elif in_head:  # a name or value that does not end is in no callback
            self._unfinished += len(data)
            return _TOO_LARGE if self._unfinished > HEAD_BYTES else None
        else:
            self._raw += len(data)
            framing = self._raw - self._body
            return _SMALL_CHUNKS if framing > HEAD_BYTES + self._body // _LEAST_BODY else None
        return None

    def forget_head(self) -> None:
        """The oldest request is answered."""
        if self._heads:
            self._heads.popleft()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head = True, 0
        if len(self._heads) > MOST_AHEAD:
            self._refusal = _TOO_FAR_AHEAD
            raise _EndedError

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """A line of the head, or of the trailers."""
        self._count(len(name) + len(value or b"") + _LINE_BYTES)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self.begun += 1
        self._heads.append(self._head)
        self._in_head, self._head = False, 0
        self._raw = self._body = 0

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body += len(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.ended += 1
        self._in_head, self._head = True, 0

    def _count(self, size: int) -> None:
        self._head += size
        if self._head + sum(self._heads) > HEAD_BYTES:
            self._refusal = _TOO_LARGE
            raise _EndedError
