"""An evaluation as log lines, JSON and a file of predictions: what is said of a model on a data set."""

import json
import logging
from typing import Any

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.loading.datasets import create_dataset
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.engines.backend import Backend
from crnn_mindspore.evaluation.calibrating import ConfidenceRecorder, fit_calibration
from crnn_mindspore.evaluation.evaluator import Evaluation, evaluate_dataset
from crnn_mindspore.evaluation.prediction_file import save_predictions, save_suspects
from crnn_mindspore.reading.calibration import TARGET_ACCURACY, calibrated, save_calibration
from crnn_mindspore.text.decoding import GREEDY_DECODING, Decoding
from crnn_mindspore.text_file import write_text

_logger = logging.getLogger(__name__)


def load_evaluation_data(
    artifact: Artifact, dataset_name: str, dataset_path: str, lexicon: str | None = None
) -> WordDataset:
    """The complete test split as the model wants it; logs what the reader dropped.

    Args:
        artifact: Of the model.
        dataset_name: A name of `crnn_mindspore.data.readers.registry.READERS`.
        dataset_path: Its folder.
        lexicon: Which list of each image is needed, None for none.

    Raises:
        UserError: If the data cannot be read or lacks the lexicon.
    """
    dataset = create_dataset(
        dataset_name,
        dataset_path,
        split="test",
        codec=artifact.codec,
        preprocessing=artifact.preprocessing,
        for_training=False,
        lexicon=lexicon,
    )
    for line in dataset.report.lines():
        _logger.info("evaluation data: %s", line)
    return dataset


def evaluate_and_report(
    backend: Backend,
    model_path: str,
    dataset_name: str,
    dataset_path: str,
    *,
    batch_size: int = 64,
    protocol: str = "auto",
    num_workers: int = 2,
    predictions_path: str = "",
    top_k: int = 1,
    json_path: str = "",
    decoding: Decoding = GREEDY_DECODING,
    calibrate: bool = False,
    target_accuracy: float = TARGET_ACCURACY,
    suspects_path: str = "",
) -> Evaluation:
    """Evaluates on a data set, logs the contract's lines, and writes the files asked for.

    Args:
        backend: The model; its own charset and preprocessing are used.
        model_path: For the records; the calibration beside it is used, or written.
        dataset_name: A name of `crnn_mindspore.data.readers.registry.READERS`.
        dataset_path: Its folder.
        batch_size: Images a batch.
        protocol: See `create_protocol`.
        num_workers: Background threads that prepare images.
        predictions_path: File for every prediction, or "".
        top_k: Texts in it of each image.
        json_path: File for the figures, or "".
        decoding: What to decode with.
        calibrate: Fit the temperature of the confidences on this data set and write it beside the model; the
            evaluation itself is without calibration.
        target_accuracy: With calibrate: that of the readings above the threshold which is written.
        suspects_path: File for the labels that are likely wrong, or "".

    Raises:
        UserError: If the data cannot be read, holds no word to count, or lacks the lexicon asked for; or a
            file cannot be written.
    """
    artifact = backend.artifact
    plain = artifact.decoder(decoding)
    recorder = ConfidenceRecorder(plain)
    decoder = recorder if calibrate else calibrated(plain, model_path, artifact)
    dataset = load_evaluation_data(artifact, dataset_name, dataset_path, decoding.image_lexicon)
    evaluation = evaluate_dataset(
        backend, decoder, dataset, batch_size, protocol, num_workers, decoding.reject_below, top_k
    )
    for line in [*evaluation.lines(), *decoder.notes()]:
        _logger.info("%s", line)
    if calibrate:
        calibration = fit_calibration(
            recorder, evaluation, artifact, f"{dataset_name} {dataset_path}", target_accuracy
        )
        for line in [*calibration.lines(), f"written: {save_calibration(calibration, model_path)}"]:
            _logger.info("%s", line)
    if predictions_path:
        save_predictions(evaluation, predictions_path)
        _logger.info("predictions: %s", predictions_path)
    if suspects_path:
        count = save_suspects(evaluation, suspects_path)
        _logger.info("suspects: %d labels that are read differently, in %s", count, suspects_path)
    if json_path:
        record: dict[str, Any] = {
            "model": model_path,
            "engine": backend.name,
            "dataset": dataset_name,
            "dataset_path": dataset_path,
            **evaluation.as_dict(),
        }
        write_text(json_path, json.dumps(record, ensure_ascii=False, indent=2))
    return evaluation
