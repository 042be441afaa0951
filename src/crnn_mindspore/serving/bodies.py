"""Request bodies: read under limits of size, time and memory, and taken apart into images."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from fastapi import HTTPException, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from crnn_mindspore.data.image_formats import image_format, refused_format
from crnn_mindspore.serving.json_body import parse_json_body
from crnn_mindspore.serving.limits import Limits

RETRY = {"Retry-After": "1"}
# What the client still sends would be taken for its next request.
_CLOSE = {"Connection": "close"}

_HOW_TO_SEND = (
    "send an image as the body, with a Content-Type of image/*, or several as multipart/form-data, "
    "or as base64 in application/json"
)
# What clients say, or their libraries for them, of bytes that they did not describe.
_UNDESCRIBED = ("", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Upload:
    """One image as it was sent: what the client calls it, and its bytes."""

    name: str
    data: bytes


class BodyReader:
    """Reads bodies and counts the bytes of those that are held.

    Args:
        limits: See there.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0
        self._parsing = asyncio.Semaphore(1)

    @contextlib.asynccontextmanager
    async def uploads(self, request: Request) -> AsyncIterator[list[Upload]]:
        """The images of a request, at least one; their bytes count as held until the context ends.

        Raises:
            HTTPException: 400 for no image or a form that cannot be read, 408 for a body that takes too long,
                413 for one that is too large, 415 for another type of content, 503 if the bodies held are
                too many already.
            ClientDisconnect: If the client goes away.
        """
        body = _Body(request)
        try:
            yield await self._limited(body)
        finally:
            self._held -= body.held

    async def _limited(self, body: "_Body") -> list[Upload]:
        seconds = self._limits.body_seconds
        try:
            return await asyncio.wait_for(self._read(body), seconds)
        except TimeoutError:
            message = f"the body did not arrive within {seconds:g} seconds"
            raise HTTPException(408, message, _CLOSE) from None
        except HTTPException as error:
            await body.discard_rest(self._limits.discard_seconds)
            error.headers = {**(error.headers or {}), **_CLOSE}
            raise

    async def _read(self, body: "_Body") -> list[Upload]:
        kind = body.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            return await self._form(body)
        is_json = kind == "application/json" or kind.endswith("+json")
        if not is_json and not kind.startswith("image/") and kind not in _UNDESCRIBED:
            raise HTTPException(415, f"Content-Type is {kind!r}: {_HOW_TO_SEND}")
        data = b"".join([chunk async for chunk in self._counted(body)])
        if not data:
            reason = "the body is empty" if kind else f"the request holds no image: {_HOW_TO_SEND}"
            raise HTTPException(400, reason)
        if is_json:
            # Other clients are served meanwhile; one at a time, as it takes several times the body's memory.
            async with self._parsing:
                return await asyncio.to_thread(self._json, data)
        # A form without its type, or a text: better told how to send than that it is damaged.
        if kind in _UNDESCRIBED and not image_format(data) and not refused_format(data):
            named = f"Content-Type is {kind!r}" if kind else "there is no Content-Type"
            raise HTTPException(415, f"the body is not an image, and {named}: {_HOW_TO_SEND}")
        return [Upload("image", data)]

    def _json(self, data: bytes) -> list[Upload]:
        most = self._limits.request_images
        try:
            images = parse_json_body(data, most)
        except ValueError as error:
            raise HTTPException(400, f"the JSON cannot be read: {error}") from None
        if not 1 <= len(images) <= most:
            raise HTTPException(400, f"the JSON holds {len(images)} images, must hold 1 to {most}")
        return [Upload(name, image) for name, image in images]

    async def _form(self, body: "_Body") -> list[Upload]:
        parser = _FormParser(
            _without_charset(body.headers), self._counted(body), max_files=self._limits.request_images
        )
        parser.spool_max_size = self._limits.body_bytes  # in memory, which is limited; never on a disk
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise HTTPException(400, f"the form cannot be read: {error.message}") from None
        async with contextlib.AsyncExitStack() as files:
            files.push_async_callback(form.close)
            if not parser.is_complete:
                raise HTTPException(400, "the form cannot be read: it ends before its last boundary")
            uploads = []
            for field, value in form.multi_items():
                if not isinstance(value, UploadFile):
                    raise HTTPException(400, f"the field {field!r} of the form is no file")
                uploads.append(Upload(value.filename or field, await value.read()))
        if not uploads:
            raise HTTPException(400, "the form holds no file")
        return uploads

    async def _counted(self, body: "_Body") -> AsyncGenerator[bytes, None]:
        """The body as it arrives; counted first, kept after."""
        limits = self._limits
        announced = body.headers.get("content-length", "")
        too_large = HTTPException(413, f"the body is larger than {limits.body_bytes:,} bytes")
        if announced.isdecimal() and int(announced) > limits.body_bytes:
            raise too_large
        async for chunk in body.chunks():
            if body.held + len(chunk) > limits.body_bytes:
                raise too_large
            if self._held + len(chunk) > limits.held_bytes:
                raise HTTPException(503, "too many images are being sent; try again", RETRY)
            body.held += len(chunk)
            self._held += len(chunk)
            yield chunk


class _Body:
    """The body of one request as it arrives, and how many of its bytes count as held."""

    def __init__(self, request: Request) -> None:
        self.headers = request.headers
        self.held = 0
        self._receive = request.receive
        self._has_ended = False

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self._has_ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._has_ended = not message.get("more_body", False)
            yield message.get("body", b"")

    async def discard_rest(self, seconds: float) -> None:
        """Reads on for a while: a client that is still sending when the connection closes sees no answer."""
        if "expect" in self.headers and not self.held:  # it waits for permission, and has sent nothing
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._read_away(), seconds)

    async def _read_away(self) -> None:
        async for _ in self.chunks():
            pass


def _without_charset(headers: Headers) -> Headers:
    """The Content-Type of a form with its boundary alone.

    Names are UTF-8, as browsers send them; a character set that a client states may raise errors of its own.
    """
    kind, parameters = parse_options_header(headers["content-type"])
    if boundary := parameters.get(b"boundary"):
        escaped = boundary.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        kind += b'; boundary="' + escaped + b'"'
    return Headers(raw=[(b"content-type", kind)])


class _FormParser(MultiPartParser):
    """Starlette's, which does not tell a form that breaks off from one that ends."""

    is_complete = False

    def on_end(self) -> None:
        self.is_complete = True
