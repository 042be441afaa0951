"""Evaluation within a training: of the weights as they are, on one process or shared by all."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from src.exporting.ms_backend import evaluation_backend
from src.inference.artifact import Artifact
from src.inference.checkpoint_file import Weights
from src.inference.evaluator import Evaluation, Forward
from src.training.checkpoint import load_weights, read_checkpoint
from src.training.ranks import Floats, Ranks

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
