"""Concurrent requests read in common batches: threads that prepare images, one thread that runs the model."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from crnn_mindspore.data.image_formats import image_format
from crnn_mindspore.data.image_io import MAX_PIXELS, UnreadableImageError, declared_pixels
from crnn_mindspore.reading.recognition import PreparedImage, Recognition, Wanted
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.bodies import Upload
from crnn_mindspore.serving.turns import ANY, LARGE, Turns

_LARGE_BYTES = 1 << 20
_LARGE_PIXELS = 1_000_000

_logger = logging.getLogger(__name__)


class BusyError(Exception):
    """More images are waiting than allowed."""


class Reading:
    """The images of one request, accepted.

    Args:
        count: How many.
        forget: Called where the rest is not wanted any more.

    Attributes:
        results: One of each image, in order; a `BusyError` if the request has to yield to a smaller one.
    """

    def __init__(self, count: int, forget: "Callable[[Reading], object]") -> None:
        self.results: list[Future[Result]] = [Future() for _ in range(count)]
        self._forget = forget

    def abandon(self) -> None:
        """Nobody waits any more: what is not decoded yet will not be, and what is not read yet neither."""
        self._forget(self)
        for result in self.results:
            result.cancel()


@dataclass(frozen=True)
class Result:
    """What became of one image.

    Attributes:
        recognition: The reading, or the error.
        is_image: Whether the bytes are an image at all, damaged or not.
    """

    recognition: Recognition
    is_image: bool = True


@dataclass(frozen=True)
class _Waiting:
    upload: Upload
    wanted: Wanted | None
    result: "Future[Result]"


@dataclass(frozen=True)
class _Prepared:
    image: PreparedImage
    result: "Future[Result]"


class BatchingReader:
    """Reads images of many requests with one recogniser.

    An image is decoded and preprocessed by one of a few threads, which serve clients in turn, and then read
    by one thread, together with all that are ready by then. That thread waits for further images only if some
    are being prepared, so a client that is alone waits for nobody. Of several threads that prepare, one takes
    no large images: they cost a thousand times as much as a word, and a word need not wait for them.

    Args:
        recognizer: Its batch size is the largest batch.
        batch_wait: Seconds for which a batch that is not full waits for images being prepared.
        waiting_images: Images accepted and not yet read, at most.
        most_pixels: Of an image; a larger JPEG is decoded reduced, others are refused.
        workers: Threads that prepare.
        on_batch: Called with the size of each batch.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        *,
        batch_wait: float = 0.005,
        waiting_images: int = 256,
        most_pixels: int = MAX_PIXELS,
        workers: int = 2,
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._recognizer = recognizer
        self._batch_wait = batch_wait
        self._most_waiting = waiting_images
        self._most_pixels = most_pixels
        self._on_batch = on_batch
        self._waiting = 0
        self._lock = threading.RLock()  # a result that is set while it is held calls `_leave`
        self._turns: Turns[_Waiting] = Turns()
        self._ready: queue.Queue[_Prepared | None] = queue.Queue()
        self._preparing = [
            threading.Thread(target=self._prepare_all, args=(i == 0 and workers > 1,), daemon=True)
            for i in range(workers)
        ]
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        for thread in (*self._preparing, self._thread):
            thread.start()

    @property
    def waiting(self) -> int:
        """Images accepted and not yet read."""
        return self._waiting

    def submit(self, uploads: Sequence[Upload], wanted: Wanted | None = None, client: str = "") -> Reading:
        """Accepts the images of a request, all or none.

        Where too many wait, the largest request of the client with most yields to a smaller one.

        Args:
            uploads: The images.
            wanted: What is asked of them.
            client: Who asks; clients take turns.

        Raises:
            BusyError: If more would wait than allowed.
        """
        reading = Reading(len(uploads), lambda abandoned: self._turns.drop(client, abandoned))
        with self._lock:
            while self._waiting + len(uploads) > self._most_waiting:
                displaced = self._turns.displace(client, len(uploads))
                if not displaced:
                    raise BusyError
                for waiting in displaced:
                    _set_exception(waiting.result, BusyError())
            self._waiting += len(uploads)
        for result in reading.results:
            result.add_done_callback(self._leave)
        pieces = [_Waiting(u, wanted, result) for u, result in zip(uploads, reading.results, strict=True)]
        self._turns.put(client, reading, pieces)
        return reading

    def close(self) -> None:
        """Reads what was accepted, then ends the threads."""
        self._turns.close()
        for thread in self._preparing:
            thread.join()
        self._prepare_all(leaves_large=False)  # what was found to be large last
        self._ready.put(None)
        self._thread.join()

    def _leave(self, _: "Future[Result]") -> None:
        with self._lock:
            self._waiting -= 1

    def _prepare_all(self, leaves_large: bool) -> None:
        lanes = (ANY,) if leaves_large else (ANY, LARGE)
        while (turn := self._turns.take(lanes)) is not None:
            client, request, waiting = turn
            if waiting.result.done():
                continue  # abandoned
            if leaves_large and _is_large(waiting.upload.data):
                self._turns.put(client, request, [waiting], LARGE)
                continue
            self._prepare(waiting.upload, waiting.wanted, waiting.result)
            lanes = lanes[::-1]

    def _prepare(self, upload: Upload, wanted: Wanted | None, result: "Future[Result]") -> None:
        try:
            image = self._recognizer.prepare(upload.data, upload.name, wanted, self._most_pixels)
            self._ready.put(_Prepared(image, result))
        except UnreadableImageError as error:
            rejected = self._recognizer.reject_below > 0
            recognition = Recognition(upload.name, "", 0.0, str(error), rejected)
            is_image = not upload.data or image_format(upload.data) is not None
            _set_result(result, Result(recognition, is_image=is_image))
        except Exception as error:  # whoever waits for the result must hear of it
            _set_exception(result, error)

    def _work(self) -> None:
        while batch := self._gather():
            try:
                results = self._read(batch)
            except Exception as error:
                _logger.exception("a batch of %d images could not be read", len(batch))
                for item in batch:
                    _set_exception(item.result, error)
            else:
                for item, result in zip(batch, results, strict=True):
                    _set_result(item.result, result)

    def _gather(self) -> list[_Prepared]:
        """The next batch; empty once there is none to come."""
        while (first := self._ready.get()) is not None and first.result.done():
            pass  # abandoned
        if first is None:
            return []
        batch, end = [first], time.monotonic() + self._batch_wait
        while len(batch) < self._recognizer.batch_size:
            # Nothing is on its way if those waiting are those of this batch.
            patience = end - time.monotonic() if self._waiting > len(batch) else 0.0
            try:
                item = self._ready.get(timeout=max(patience, 0.0))
            except queue.Empty:
                break
            if item is None:
                self._ready.put(None)
                break
            if not item.result.done():
                batch.append(item)
        return batch

    def _read(self, batch: list[_Prepared]) -> list[Result]:
        self._on_batch(len(batch))
        return [Result(recognition) for recognition in self._recognizer.read([item.image for item in batch])]


def _is_large(data: bytes) -> bool:
    return len(data) > _LARGE_BYTES or declared_pixels(data) > _LARGE_PIXELS


# A result is running only while it is set: until then whoever asked may cancel it.
def _set_result(future: "Future[Result]", result: Result) -> None:
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_result(result)


def _set_exception(future: "Future[Result]", error: Exception) -> None:
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_exception(error)
