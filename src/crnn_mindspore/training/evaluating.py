"""Evaluation within a training: of the weights as they are, on one process or shared by all."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from crnn_mindspore.artifacts.agreement import charset_of, preprocessing_of
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.checkpoint_file import Weights
from crnn_mindspore.data.loading.datasets import create_dataset
from crnn_mindspore.data.loading.loader import EvalLoader
from crnn_mindspore.data.readers.registry import evaluation_sets
from crnn_mindspore.engines.mindspore.network_backend import evaluation_backend
from crnn_mindspore.engines.mindspore.parameters import load_weights
from crnn_mindspore.evaluation.evaluator import Evaluation, Forward, evaluate
from crnn_mindspore.evaluation.metric import create_protocol
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.text.greedy import GreedyDecoder
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint
from crnn_mindspore.training.ranks import Floats, Ranks

_logger = logging.getLogger(__name__)

Evaluate = Callable[[Forward], dict[str, Evaluation]]


class TrainingEvaluation:
    """Evaluates weights with a network of its own.

    Args:
        artifact: Charset, preprocessing and network.
        evaluate: Evaluates a forward function: name of each data set -> what was found.
        ranks: All processes of the training.
        place: `main`: rank 0 evaluates and the others wait. `shared`: each computes its part of every batch,
            and all find the same.
    """

    def __init__(self, artifact: Artifact, evaluate: Evaluate, ranks: Ranks, place: str) -> None:
        self._backend = evaluation_backend(artifact)
        self._evaluate = evaluate
        self._ranks = ranks
        self._is_shared = place == "shared"

    def of_weights(self, weights: Weights) -> dict[str, Evaluation]:
        """Name of each data set -> what was found; empty where another process evaluates."""
        if self._is_shared:
            load_weights(self._backend.network, weights, "training")
            return self._evaluate(self._ranks.share_forward(self._backend.forward))
        return self._ranks.run_on_main(lambda answer: self._run(weights, "training", answer)) or {}

    def of_checkpoints(self, paths: Iterable[Path]) -> None:
        """Evaluates each file on rank 0 and logs what was found."""
        self._ranks.run_on_main(lambda answer: self._log_each(paths, answer))

    def _run(self, weights: Weights, origin: str, answer: Callable[[], None]) -> dict[str, Evaluation]:
        load_weights(self._backend.network, weights, origin)

        def forward(images: Floats) -> Floats:
            answer()
            return self._backend.forward(images)

        return self._evaluate(forward)

    def _log_each(self, paths: Iterable[Path], answer: Callable[[], None]) -> None:
        for path in paths:
            found = self._run(read_checkpoint(str(path)).weights, str(path), answer)
            _logger.info("%s", path)
            for name, evaluation in found.items():
                _logger.info("%s:", name)
                for line in evaluation.lines():
                    _logger.info("%s", line)


def create_evaluation(options: TrainOptions) -> Evaluate:
    """Forward function -> evaluation on each `train_eval_dataset`; they are opened once."""
    names, paths = options.train_eval_dataset, options.train_eval_dataset_path
    if not paths and options.eval_dataset_path:  # as the model zoo's page has it
        names, paths = options.eval_dataset, options.eval_dataset_path
    if not paths:
        options.require("train_eval_dataset_path")
    loaders = {
        label: EvalLoader(
            create_dataset(
                name,
                path,
                split="test",
                charset=charset_of(options),
                preprocessing=preprocessing_of(options),
                for_training=False,
            ),
            options.eval_batch_size or options.batch_size,
            num_workers=options.num_parallel_workers,
            max_images=options.eval_max_images,
        )
        for label, name, path in evaluation_sets(names, paths)
    }
    decoder, protocol = (
        GreedyDecoder(charset_of(options)),
        create_protocol(options.protocol, charset_of(options)),
    )

    def evaluate_one(forward: Forward, loader: EvalLoader) -> Evaluation:
        found = evaluate(forward, decoder, loader, protocol)
        return replace(found, part_of=len(loader.dataset)) if loader.is_partial else found

    return lambda forward: {label: evaluate_one(forward, loader) for label, loader in loaders.items()}
