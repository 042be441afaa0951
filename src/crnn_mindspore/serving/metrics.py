"""What the server counts, in the text form of Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from crnn_mindspore.serving.batching import Result

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one server, apart from those of any other in the process."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter("crnn_requests", "Requests answered.", ("path", "status"), registry=registry)
        self._images = Counter("crnn_images", "Images answered.", ("result",), registry=registry)
        for result in ("read", "unreadable"):
            self._images.labels(result)
        self._seconds = Histogram(
            "crnn_request_seconds",
            "From the head of a request for recognition to its answer.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "crnn_batch_images", "Images in a batch.", buckets=_BATCH_SIZES, registry=registry
        )
        self._connections = Gauge("crnn_connections", "Open connections.", registry=registry)
        self._ended = Counter(
            "crnn_connections_ended", "Connections ended by the server.", ("reason",), registry=registry
        )
        self._waiting = Gauge("crnn_waiting_images", "Images accepted and not yet read.", registry=registry)

    def watch_waiting(self, waiting: Callable[[], int]) -> None:
        """Names the source of the number of images accepted and not yet read."""
        self._waiting.set_function(waiting)

    def watch_connections(self, connections: Callable[[], int]) -> None:
        """Names the source of the number of open connections."""
        self._connections.set_function(connections)

    def count_ended(self, reason: str) -> None:
        """The server ends a connection."""
        self._ended.labels(reason).inc()

    def count_batch(self, size: int) -> None:
        """One batch of `size` images goes to the model."""
        self._batches.observe(size)

    def count_results(self, results: Iterable[Result]) -> None:
        """What became of the images of a request."""
        for result in results:
            self._images.labels("unreadable" if result.recognition.error else "read").inc()

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """One request is answered."""
        self._requests.labels(path, str(status)).inc()
        if path.endswith("/recognize"):
            self._seconds.observe(seconds)

    def text(self) -> bytes:
        """All figures, for Prometheus."""
        return generate_latest(self._registry)
