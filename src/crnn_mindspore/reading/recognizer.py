"""The Python API: `Recognizer.load(path)`, then call it with images."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.artifact import WIDEST
from crnn_mindspore.artifacts.model_path import PRETRAINED, WORDS, resolve_model
from crnn_mindspore.data.image_io import (
    MAX_PIXELS,
    DecodedImage,
    UnreadableImageError,
    decode_within,
    read_image_file,
)
from crnn_mindspore.data.pixels import to_bgr
from crnn_mindspore.data.preprocess import is_turned, preprocess
from crnn_mindspore.engines.backend import Backend, open_reader
from crnn_mindspore.engines.choices import LEFT_OPEN, AscendChoices
from crnn_mindspore.errors import UserError
from crnn_mindspore.reading.calibration import calibrated
from crnn_mindspore.reading.named_images import MissingImage
from crnn_mindspore.reading.recognition import Alternative, Character, PreparedImage, Recognition, Wanted
from crnn_mindspore.tasks.finding import allow_task
from crnn_mindspore.text.ctc import Floats, log_softmax
from crnn_mindspore.text.decoder import Decoded, Decoder
from crnn_mindspore.text.decoding import AUTO_DECODING, Decoding, check_reject_below

Image = str | Path | bytes | npt.NDArray[np.uint8] | MissingImage


class Recognizer:
    """Reads words from images with any exported model or checkpoint.

    Example:
        >>> recognizer = Recognizer.load()
        >>> for result in recognizer(["a.jpg", "b.png"]):
        ...     print(result.text, result.confidence)

    Args:
        backend: The model.
        batch_size: Images read at a time; no result depends on it.
        decoder: Logits -> readings, with a lexicon of its own if it needs one; None for greedy.
        reject_below: Readings with a lower confidence are marked as rejected.
        top_k: Texts wanted for each image: the reading and `top_k - 1` alternatives.
        characters: Whether confidence and position of each character are wanted.
        keep_ratio: Whether an image that is longer than the model's input keeps its ratio of width to
            height. False: every image is brought to the one size that the model was trained on. None: up to
            the width that the model's description gives, if it gives one. A model that was trained on images
            that keep it is always read so.

    Raises:
        UserError: If `batch_size`, `top_k` or `reject_below` is out of range, or `keep_ratio` is wanted of a
            kind of output whose images have one size, or not wanted of a model trained so.
    """

    def __init__(
        self,
        backend: Backend,
        batch_size: int = 64,
        decoder: Decoder | None = None,
        reject_below: float = 0.0,
        top_k: int = 1,
        characters: bool = False,
        keep_ratio: bool | None = None,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size is {batch_size}, must be at least 1")
        check_reject_below(reject_below)
        self.backend = backend
        self.batch_size = batch_size
        self._greedy = backend.artifact.decoder()
        self.decoder = decoder or self._greedy
        self.reject_below = reject_below
        self.wanted = Wanted(top_k, characters)
        self.reads_one_class = backend.artifact.kind.reads_one_class(backend.artifact)
        artifact, own = backend.artifact, backend.artifact.preprocessing
        if keep_ratio and artifact.kind.has_one_size:
            raise UserError(
                f"keep_ratio: a model of {artifact.task} reads images of one size, "
                f"{own.width} x {own.height} pixels, to which every image is brought; leave keep_ratio out"
            )
        if keep_ratio is False and own.width_step:
            raise UserError(
                "no-keep_ratio: the model was trained on images that keep their ratio, and has no one size "
                "to squeeze them into; leave no-keep_ratio out"
            )
        widest = {True: WIDEST, False: 0, None: artifact.widest}[keep_ratio]
        self._preprocessing = replace(own, widest=min(widest, WIDEST))

    @classmethod
    def load(
        cls,
        path: str = PRETRAINED,
        device_target: str = "auto",
        device_id: int = 0,
        decoding: Decoding = AUTO_DECODING,
        task: str = WORDS,
        onnx_threads: int = 0,
        choices: AscendChoices = LEFT_OPEN,
        **options: Any,
    ) -> "Recognizer":
        """Opens a .ckpt, .mindir or .onnx file, or the weights that come with the project.

        The calibration beside the model, if there is one for the decoder, is used.

        Args:
            path: The file, a folder of checkpoints, or `pretrained`; see `resolve_model`.
            device_target: "CPU", "GPU", "Ascend", or "auto"; see `open_reader`.
            device_id: Which accelerator.
            decoding: Decoder, lexicon, language model, threshold; by default what the model's description
                says, else greedy.
            task: Whose weights `pretrained` means; its kind of output may be a module of your own.
            onnx_threads: That compute, of ONNX Runtime; 0 for the cores that this process may use.
            choices: Of the settings for Ascend.
            options: `batch_size`, `top_k`, `characters`, `keep_ratio` of the class.

        Raises:
            UserError: If the model cannot be opened, the calibration is not of these weights, or an option
                is out of range; the message names it.
        """
        if decoding.image_lexicon is not None:
            raise UserError(
                f"lexicon {decoding.lexicon!r} is given with the images of a data set; "
                "here name a file with one word a line"
            )
        if task != WORDS:
            allow_task(task)
        path = resolve_model(path, task)
        size = int(options.get("batch_size", 0))
        backend = open_reader(path, device_target, device_id, onnx_threads, choices, size)
        decoder = backend.artifact.decoder(decoding)
        decoder = calibrated(decoder, path, backend.artifact)
        return cls(backend, decoder=decoder, reject_below=decoding.reject_below, **options)

    def __call__(self, images: Sequence[Image]) -> list[Recognition]:
        """Reads the images, in order.

        Args:
            images: Paths, encoded bytes, or decoded arrays, each of any size: (H, W, 3) BGR, grey (H, W), or
                with alpha (H, W, 4), uint8 or uint16.
        """
        return list(self.stream(images))

    def stream(self, images: Iterable[Image]) -> Iterator[Recognition]:
        """The same, lazily, a batch at a time; an image that cannot be read has an `error`."""
        numbered = enumerate(images)
        while batch := list(islice(numbered, self.batch_size)):
            prepared = [self._prepared(image, number) for number, image in batch]
            read = iter(self.read([p for p in prepared if isinstance(p, PreparedImage)]))
            for p in prepared:
                yield next(read) if isinstance(p, PreparedImage) else p

    def prepare(
        self, image: Image, name: str, wanted: Wanted | None = None, most_pixels: int = MAX_PIXELS
    ) -> PreparedImage:
        """Decodes and resizes one image; may be called by several threads.

        Args:
            image: As for calling.
            name: What its result is called.
            wanted: What is wanted of it; None for what is wanted of every image.
            most_pixels: Of an encoded image; a larger JPEG is decoded reduced, others are refused.

        Raises:
            UnreadableImageError: If it cannot be decoded; the message begins with the name.
        """
        decoded = _decoded(image, name, most_pixels)
        network_input = preprocess(decoded.pixels, self._preprocessing)
        height, width = decoded.pixels.shape[:2]
        length = decoded.width
        if is_turned(self._preprocessing, height, width):
            length = round(decoded.width * height / width)
        return PreparedImage(name, network_input, length, wanted or self.wanted)

    def read(self, images: Sequence[PreparedImage]) -> list[Recognition]:
        """Reads prepared images of any number and widths; those of one width share a batch."""
        results: dict[int, Recognition] = {}
        by_width: dict[int, list[int]] = {}
        for number, image in enumerate(images):
            by_width.setdefault(image.pixels.shape[2], []).append(number)
        for numbers in by_width.values():
            logits = self.backend.forward(np.stack([images[n].pixels for n in numbers]))
            for k, (n, reading) in enumerate(zip(numbers, self.decoder(logits), strict=True)):
                results[n] = self._recognition(images[n], reading, logits[:, k])
        return [results[n] for n in range(len(images))]

    def _prepared(self, image: Image, number: int) -> PreparedImage | Recognition:
        name = name_of(image, number)
        try:
            return self.prepare(image, name)
        except UnreadableImageError as error:
            return Recognition(name, "", 0.0, str(error), rejected=self.reject_below > 0)

    def _recognition(self, image: PreparedImage, reading: Decoded, logits: Floats) -> Recognition:
        """The result of an image with logits (T, C)."""
        result = Recognition(
            image.name,
            reading.text,
            reading.confidence,
            rejected=reading.confidence < self.reject_below,
            attributes=reading.attributes,
            class_id=self._class_of(reading),
            decoder=self.decoder.name,
        )
        wanted = image.wanted
        if wanted.greedy and self.decoder.name != self._greedy.name:
            (alone,) = self._greedy(logits[:, None])
            result = replace(result, greedy=Alternative(alone.text, alone.confidence))
        if wanted.top_k > 1:
            _, *others = self.decoder.best(logits[:, None], wanted.top_k)[0]
            result = replace(
                result,
                alternatives=tuple(
                    Alternative(other.text, other.confidence, self._class_of(other)) for other in others
                ),
            )
        if wanted.characters or wanted.strip:
            cooled = logits / self.decoder.temperature
            target = self.decoder.target(reading)
            if wanted.characters:
                result = replace(result, characters=self._characters(target, cooled, image))
            if wanted.strip:
                artifact = self.backend.artifact
                probabilities = np.exp(log_softmax(cooled))
                result = replace(result, strip=artifact.kind.strip(artifact, probabilities, target))
        return result

    def _class_of(self, reading: Decoded) -> int | None:
        return reading.ids[0] if self.reads_one_class and reading.ids else None

    def _characters(
        self, target: Sequence[int], logits: Floats, image: PreparedImage
    ) -> tuple[Character, ...]:
        """The characters of a target, with their places; the whole image where steps are not places."""
        parts = self.decoder.parts(logits, target)
        shares = self.backend.artifact.kind.step_centres(
            image.pixels.shape[2], self.backend.artifact.preprocessing.step_offset
        )
        if shares is None:
            return tuple(Character(p.text, p.confidence, p.first, p.last, 0.0, image.width) for p in parts)
        centres = shares * image.width
        half = (centres[1] - centres[0]) / 2 if len(centres) > 1 else image.width / 2
        return tuple(
            Character(
                part.text,
                part.confidence,
                part.first,
                part.last,
                round(float(max(centres[part.first] - half, 0)), 2),
                round(float(min(centres[part.last] + half, image.width)), 2),
            )
            for part in parts
        )


def name_of(image: Image, number: int) -> str:
    """What the result of an image is called."""
    if isinstance(image, MissingImage):
        return image.name
    return str(image) if isinstance(image, str | Path) else f"image {number}"


def _decoded(image: Image, name: str, most_pixels: int) -> DecodedImage:
    if isinstance(image, MissingImage):
        raise UnreadableImageError(image.reason)
    if isinstance(image, str | Path):
        image = read_image_file(str(image))
    if isinstance(image, bytes | bytearray | memoryview):
        return decode_within(bytes(image), name, most_pixels)
    if not isinstance(image, np.ndarray):
        kind = type(image).__name__
        raise UnreadableImageError(f"{name}: is of type {kind}, must be a path, bytes or an array")
    try:
        return DecodedImage(to_bgr(image), image.shape[1])
    except Exception as error:  # an array may be anything; it costs one image, never a stream
        raise UnreadableImageError(f"{name}: array whose {error}") from None


def decoded_image(image: Image, name: str) -> npt.NDArray[np.uint8]:
    """The pixels of an image, (H, W, 3) uint8 BGR.

    Raises:
        UnreadableImageError: If it cannot be decoded; the message begins with the name.
    """
    return _decoded(image, name, MAX_PIXELS).pixels
