"""What a server grants its clients."""

from dataclasses import dataclass

from crnn_mindspore.data.image_io import MAX_PIXELS
from crnn_mindspore.errors import UserError

MEBIBYTE = 1 << 20
MEGAPIXEL = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Bounds on a request and on all requests together.

    Attributes:
        body_bytes: Of one request's body.
        body_seconds: In which a request's body must have arrived.
        discard_seconds: For which the rest of a refused body is read away, so that its client sees why.
        header_seconds: In which a connection must have sent the head of its next request.
        request_images: In one request.
        image_pixels: Of one image; a larger JPEG is decoded at a fraction of its size.
        waiting_images: Accepted and not yet answered, of all requests.
        held_bytes: Of all the bodies in memory at a time.
        connections: At a time; fewer where the process may open fewer files.
        write_seconds: In which a client must have taken its answer.
        shutdown_seconds: For the requests in flight when the server is told to end.

    Raises:
        UserError: If they contradict each other.
    """

    body_bytes: int = 16 * MEBIBYTE
    body_seconds: float = 30.0
    discard_seconds: float = 2.0
    header_seconds: float = 10.0
    request_images: int = 64
    image_pixels: int = 16 * MEGAPIXEL
    waiting_images: int = 256
    held_bytes: int = 256 * MEBIBYTE
    connections: int = 512
    write_seconds: float = 30.0
    shutdown_seconds: int = 30

    def __post_init__(self) -> None:
        if self.request_images > self.waiting_images:
            raise UserError(
                f"max_request_images is {self.request_images}, above max_waiting_images "
                f"{self.waiting_images}: such a request could never be accepted"
            )
        if self.image_pixels > MAX_PIXELS:
            raise UserError(
                f"max_image_megapixels is {self.image_pixels // MEGAPIXEL}, must be at most "
                f"{MAX_PIXELS // MEGAPIXEL}, what any image may have"
            )
        if self.body_bytes > self.held_bytes:
            raise UserError(
                f"max_body_mb is {self.body_bytes // MEBIBYTE}, must be at most "
                f"{self.held_bytes // MEBIBYTE}, the memory for all bodies together"
            )
