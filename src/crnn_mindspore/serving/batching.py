"""Concurrent requests read in common batches: threads that prepare images, one thread that runs the model."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from crnn_mindspore.data.image_formats import image_format
from crnn_mindspore.data.image_io import MAX_PIXELS, UnreadableImageError
from crnn_mindspore.reading.recognition import PreparedImage, Recognition, Wanted
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.bodies import Upload

_logger = logging.getLogger(__name__)


class BusyError(Exception):
    """More images are waiting than allowed."""


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
class _Prepared:
    image: PreparedImage
    result: "Future[Result]"


class BatchingReader:
    """Reads images of many requests with one recogniser.

    An image is decoded and preprocessed by a small pool of threads and then read by one thread, together with
    all that are ready by then. That thread waits for further images only if some are being prepared, so a
    client that is alone waits for nobody.

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
        self._lock = threading.Lock()
        self._ready: queue.Queue[_Prepared | None] = queue.Queue()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="prepare")
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Images accepted and not yet read."""
        return self._waiting

    def submit(self, uploads: Sequence[Upload], wanted: Wanted | None = None) -> "list[Future[Result]]":
        """Accepts the images of a request, all or none.

        Raises:
            BusyError: If more would wait than allowed.
        """
        with self._lock:
            if self._waiting + len(uploads) > self._most_waiting:
                raise BusyError
            self._waiting += len(uploads)
        results = []
        for upload in uploads:
            result: Future[Result] = Future()
            result.add_done_callback(self._leave)
            self._pool.submit(self._prepare, upload, wanted, result)
            results.append(result)
        return results

    def close(self) -> None:
        """Reads what was accepted, then ends the threads."""
        self._pool.shutdown()
        self._ready.put(None)
        self._thread.join()

    def _leave(self, _: "Future[Result]") -> None:
        with self._lock:
            self._waiting -= 1

    def _prepare(self, upload: Upload, wanted: Wanted | None, result: "Future[Result]") -> None:
        if not result.set_running_or_notify_cancel():
            return
        try:
            image = self._recognizer.prepare(upload.data, upload.name, wanted, self._most_pixels)
            self._ready.put(_Prepared(image, result))
        except UnreadableImageError as error:
            rejected = self._recognizer.reject_below > 0
            recognition = Recognition(upload.name, "", 0.0, str(error), rejected)
            is_image = not upload.data or image_format(upload.data) is not None
            result.set_result(Result(recognition, is_image=is_image))
        except Exception as error:  # whoever waits for the result must hear of it
            result.set_exception(error)

    def _work(self) -> None:
        while batch := self._gather():
            try:
                results = self._read(batch)
            except Exception as error:
                _logger.exception("a batch of %d images could not be read", len(batch))
                for item in batch:
                    item.result.set_exception(error)
            else:
                for item, result in zip(batch, results, strict=True):
                    item.result.set_result(result)

    def _gather(self) -> list[_Prepared]:
        """The next batch; empty once there is none to come."""
        first = self._ready.get()
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
            batch.append(item)
        return batch

    def _read(self, batch: list[_Prepared]) -> list[Result]:
        self._on_batch(len(batch))
        return [Result(recognition) for recognition in self._recognizer.read([item.image for item in batch])]
