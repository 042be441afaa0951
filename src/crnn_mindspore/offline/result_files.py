"""The result files of offline inference: one file of logits an image. Writing, reading and judging them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.image_io import UnreadableImageError, decode_image, read_image_file
from crnn_mindspore.data.preprocess import preprocess
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.engines.backend import Backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluator import Evaluation, ImageReading, compare_readings
from crnn_mindspore.evaluation.metric import create_protocol
from crnn_mindspore.guards.inside import to_write
from crnn_mindspore.offline.input_list import InputList, result_names
from crnn_mindspore.offline.om_files import is_readable, result_path, results_folder
from crnn_mindspore.text.decoder import Decoder
from crnn_mindspore.whole_file import whole_file, write_new

TIMINGS_NAME = "test_perform_static.txt"
_DECODED_AT_ONCE = 256  # images


@dataclass
class InferenceReport:
    """What came of a run; the times are totals in milliseconds."""

    batch_size: int
    images: int = 0
    unreadable: int = 0
    preprocess_ms: float = 0.0
    predict_ms: float = 0.0

    def lines(self) -> list[str]:
        """The timings as cpp_infer writes them; the first line is the model zoo's."""
        images = max(self.images, 1)
        return [
            f"NN inference cost average time: {self.predict_ms / images:g} ms of infer_count {self.images}",
            f"batch size: {self.batch_size}",
            f"reading and preprocessing: {self.preprocess_ms / images:g} ms an image",
            f"unreadable images: {self.unreadable}",
        ]


def infer(
    backend: Backend,
    inputs: InputList,
    result_dir: str,
    time_dir: str,
    *,
    batch_size: int,
    on_unreadable: Callable[[str], None],
) -> InferenceReport:
    """Runs the listed images through a network, as cpp_infer does.

    Each result file gets the logits (T, C) of its image as float32; that of an unreadable image is empty. The
    timings go to `test_perform_static.txt`.

    Args:
        backend: The model.
        inputs: The images.
        result_dir: Folder of the result files, made if missing.
        time_dir: Folder of the timings, made if missing.
        batch_size: Images a call.
        on_unreadable: Told about each image that cannot be read.

    Raises:
        UserError: If the list was made for another model, or a file cannot be written.
    """
    _check_inputs(inputs, backend.artifact)
    report = InferenceReport(batch_size)
    results = Path(result_dir)
    try:
        for folder in (result_dir, time_dir):
            Path(folder).mkdir(parents=True, exist_ok=True)
        pending: list[tuple[str, npt.NDArray[np.float32]]] = []
        for name, path in inputs.images:
            start = time.perf_counter()
            try:
                image = preprocess(decode_image(read_image_file(path), path), inputs.preprocessing)
            except UnreadableImageError as error:
                on_unreadable(str(error))
                write_new(to_write(result_dir, name), b"")
                report.unreadable += 1
                continue
            report.preprocess_ms += 1000 * (time.perf_counter() - start)
            pending.append((name, image))
            if len(pending) == batch_size:
                _forward(backend, pending, results, report)
                pending = []
        _forward(backend, pending, results, report)
        write_new(Path(time_dir) / TIMINGS_NAME, "\n".join([*report.lines(), ""]).encode())
    except OSError as error:
        raise UserError(f"{error.filename or result_dir}: {error.strerror}") from None
    return report


def judge(
    source: SampleSource,
    artifact: Artifact,
    decoder: Decoder,
    result_dir: str,
    protocol_name: str = "auto",
    reject_below: float = 0.0,
    top_k: int = 1,
) -> Evaluation:
    """Compares the result files of a data set with its transcriptions, as `crnn eval` would.

    Args:
        source: The data set that the list of images was made from.
        artifact: The model's description.
        decoder: Logits -> readings.
        result_dir: Folder of the result files.
        protocol_name: See `create_protocol`.
        reject_below: Readings with a lower confidence are marked as rejected.
        top_k: Texts wanted of each image.

    Raises:
        UserError: If a result of an image that can be read is missing, or of another size than the
            model's, or there is no word to count.
    """
    protocol = create_protocol(protocol_name, artifact.codec)
    readings = _readings(source, artifact, decoder, results_folder(Path(result_dir)), top_k)
    return compare_readings(readings, decoder.name, protocol, reject_below, artifact.kind.details(artifact))


def _check_inputs(inputs: InputList, artifact: Artifact) -> None:
    pairs = {
        "preprocessing": (inputs.preprocessing.as_dict(), artifact.preprocessing.as_dict()),
        "label_dict": (inputs.classes, tuple(artifact.codec.classes)),
    }
    for name, (listed, own) in pairs.items():
        if listed != own:
            raise UserError(f"the list of images was made for {name} {listed!r}, but the model has {own!r}")


def _forward(
    backend: Backend,
    pending: list[tuple[str, npt.NDArray[np.float32]]],
    results: Path,
    report: InferenceReport,
) -> None:
    if not pending:
        return
    images = np.stack([image for _, image in pending])
    start = time.perf_counter()
    logits = backend.forward(images)  # (T,N,C)
    report.predict_ms += 1000 * (time.perf_counter() - start)
    for n, (name, _) in enumerate(pending):
        with whole_file(to_write(str(results), name)) as temporary:
            temporary.write_bytes(np.ascontiguousarray(logits[:, n], dtype=np.float32).tobytes())
    report.images += len(pending)


def _readings(
    source: SampleSource, artifact: Artifact, decoder: Decoder, results: Path, top_k: int
) -> Iterator[ImageReading]:
    names = result_names(source)
    for first in range(0, len(names), _DECODED_AT_ONCE):
        positions = range(first, min(first + _DECODED_AT_ONCE, len(names)))
        logits = [_read_logits(result_path(results, names[i]), artifact, source, i) for i in positions]
        readable = [array for array in logits if array is not None]
        decoded = iter(decoder.best(np.stack(readable, axis=1), top_k) if readable else [])  # (T,N,C)
        for i, array in zip(positions, logits, strict=True):
            image = i, source.name(i), source.text(i)
            if array is None:
                yield ImageReading(*image, None)
            else:
                reading, *others = next(decoded)
                yield ImageReading(*image, reading, others)


def _read_logits(
    path: Path, artifact: Artifact, source: SampleSource, i: int
) -> npt.NDArray[np.float32] | None:
    """Logits (T, C) of one image, None if it was unreadable."""
    try:
        data = path.read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not is_readable(source, i):
            return None  # a runner of .om models got no input of it
        raise UserError(f"result {path}: {error.strerror}") from None
    shape = artifact.kind.score_shape(artifact)
    if not data:
        return None
    if len(data) != 4 * shape[0] * shape[1]:
        raise UserError(
            f"result {path}: {len(data)} bytes, but {shape[0]} steps of {shape[1]} classes need "
            f"{4 * shape[0] * shape[1]}"
        )
    logits: npt.NDArray[np.float32] = np.frombuffer(data, dtype=np.float32).reshape(shape)
    if np.isnan(logits).any():
        raise UserError(f"result {path}: holds values that are no numbers")
    return logits
