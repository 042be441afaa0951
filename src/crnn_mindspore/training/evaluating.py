"""Evaluation within a training: of the weights as they are, on one process or shared by all."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from crnn_mindspore.artifacts.agreement import model_of
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.checkpoint_file import LOSS_PREFIX, Weights
from crnn_mindspore.data.loading.datasets import create_dataset
from crnn_mindspore.data.loading.facts import dataset_facts, digest_of
from crnn_mindspore.data.loading.loader import EvalLoader
from crnn_mindspore.data.readers.registry import evaluation_sets
from crnn_mindspore.engines.mindspore.ascend import INACTIVE, Profile
from crnn_mindspore.engines.mindspore.network_backend import evaluation_backend
from crnn_mindspore.engines.mindspore.parameters import load_weights
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluator import Evaluation, Forward, LossOf, evaluate
from crnn_mindspore.evaluation.metric import create_protocol
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint
from crnn_mindspore.training.evaluation_loss import EvaluationLoss, Memory
from crnn_mindspore.training.ranks import Floats, Ranks
from crnn_mindspore.training.watching.eval_callback import EvaluationStoppedError, IsStopped

_logger = logging.getLogger(__name__)


class Evaluate(Protocol):
    """Evaluates a forward function.

    Attributes:
        measured_on: Its data sets and the protocol, in words: two of the same words measure the same.
        batch_size: Most images of a batch.
    """

    measured_on: str
    batch_size: int

    def __call__(self, forward: Forward, loss_of: LossOf | None = None) -> dict[str, Evaluation]:
        """Name of each data set -> what was found."""
        ...


class TrainingEvaluation:
    """Evaluates weights with a network of its own.

    Args:
        artifact: Charset, preprocessing and network.
        evaluate: Evaluates a forward function.
        ranks: All processes of the training.
        place: `main`: rank 0 evaluates and the others wait. `shared`: each computes its part of every batch,
            and all find the same.
        loss_of: The loss of the training; None computes none.
        profile: Of this process.
    """

    def __init__(
        self,
        artifact: Artifact,
        evaluate: Evaluate,
        ranks: Ranks,
        place: str,
        loss_of: EvaluationLoss | None = None,
        profile: Profile = INACTIVE,
    ) -> None:
        size = evaluate.batch_size
        if place == "shared":
            size = -(-size // ranks.world_size)
        self._backend = evaluation_backend(artifact, profile, size)
        self._loss_of = loss_of
        self._evaluate = evaluate
        self._ranks = ranks
        self._is_shared = place == "shared"
        self.measured_on = evaluate.measured_on

    def of_weights(
        self, weights: Weights, is_stopped: IsStopped, memory: Memory | None = None
    ) -> dict[str, Evaluation]:
        """Name of each data set -> what was found; empty where another process evaluates.

        Args:
            weights: Of the network.
            is_stopped: Asked between batches.
            memory: What the loss remembers.

        Raises:
            EvaluationStoppedError: If it is stopped, which is asked between batches.
        """
        self._remember(memory or {})
        if self._is_shared:
            load_weights(self._backend.network, weights, "training")
            shared = self._ranks.share_forward(self._backend.forward)
            return self._evaluate(_stoppable(shared, lambda: self._ranks.any(is_stopped())), self._loss_of)
        found = self._ranks.run_on_main(lambda answer: self._run_unless(weights, answer, is_stopped))
        if found is None and is_stopped() and self._ranks.rank == 0:
            raise EvaluationStoppedError
        return found or {}

    def _run_unless(
        self, weights: Weights, answer: Callable[[], None], is_stopped: IsStopped
    ) -> dict[str, Evaluation] | None:
        """What was found, None if it was stopped: the other processes must be told in either case."""
        try:
            return self._run(weights, "training", answer, is_stopped)
        except EvaluationStoppedError:
            return None

    def _remember(self, memory: Memory) -> None:
        if self._loss_of is not None:
            self._loss_of.remember(memory)

    def of_checkpoints(self, paths: Iterable[Path]) -> None:
        """Evaluates each file on rank 0 and logs what was found."""
        self._ranks.run_on_main(lambda answer: self._log_each(paths, answer))

    def _run(
        self,
        weights: Weights,
        origin: str,
        answer: Callable[[], None],
        is_stopped: IsStopped = lambda: False,
    ) -> dict[str, Evaluation]:
        load_weights(self._backend.network, weights, origin)

        def forward(images: Floats) -> Floats:
            answer()
            return self._backend.forward(images)

        return self._evaluate(_stoppable(forward, is_stopped), self._loss_of)

    def _log_each(self, paths: Iterable[Path], answer: Callable[[], None]) -> None:
        for path in paths:
            try:
                checkpoint = read_checkpoint(str(path))
                self._remember(
                    {
                        name.removeprefix(LOSS_PREFIX): array
                        for name, array in checkpoint.others.items()
                        if name.startswith(LOSS_PREFIX)
                    }
                )
                found = self._run(checkpoint.weights, str(path), answer)
            except UserError as error:  # the training itself has ended well
                _logger.warning("%s; not evaluated", error)
                continue
            _logger.info("%s", path)
            for name, evaluation in found.items():
                _logger.info("%s:", name)
                for line in evaluation.lines():
                    _logger.info("%s", line)


class EvaluationSets:
    """Evaluates on several data sets.

    Args:
        loaders: Name -> data set.
        model: What is evaluated: its classes and decoder.
        protocol: How words are compared; see `create_protocol`.
    """

    def __init__(self, loaders: Mapping[str, EvalLoader], model: Artifact, protocol: str) -> None:
        self._loaders = loaders
        self._decoder = model.decoder()
        self._model = model
        self._protocol = create_protocol(protocol, model.codec)
        self.batch_size = max(loader.batch_size for loader in loaders.values())
        sets = [f"{name} ({described(loader)})" for name, loader in loaders.items()]
        self.measured_on = f"{', '.join(sets)}, protocol {self._protocol.name}"

    def __call__(self, forward: Forward, loss_of: LossOf | None = None) -> dict[str, Evaluation]:
        """Name of each data set -> what was found."""
        found = {}
        for name, loader in self._loaders.items():
            evaluation = evaluate(
                forward,
                self._decoder,
                loader,
                self._protocol,
                loss_of=loss_of,
                details=self._model.kind.details(self._model),
            )
            part_of = len(loader.dataset) if loader.is_partial else 0
            found[name] = replace(evaluation, part_of=part_of)
        return found


def described(loader: EvalLoader) -> str:
    """`3,000 images, 5f2c01aa`: how many, and what tells their files and labels from others."""
    part = f"{loader.images:,} of " if loader.is_partial else ""
    facts = dataset_facts(loader.dataset)
    return f"{part}{len(loader.dataset):,} images, {digest_of(facts)[:8]}"


def _stoppable(forward: Forward, is_stopped: IsStopped) -> Forward:
    """The same, or EvaluationStoppedError once it is stopped."""

    def checked(images: Floats) -> Floats:
        if is_stopped():
            raise EvaluationStoppedError
        return forward(images)

    return checked


def create_evaluation(options: TrainOptions) -> EvaluationSets:
    """Evaluation on each `train_eval_dataset`; they are opened once."""
    names, paths = options.train_eval_dataset, options.train_eval_dataset_path
    if not paths and options.eval_dataset_path:  # as the model zoo's page has it
        names, paths = options.eval_dataset, options.eval_dataset_path
    if not paths:
        options.require("train_eval_dataset_path")
    model = model_of(options)
    loaders = {
        label: EvalLoader(
            create_dataset(
                name,
                path,
                split="test",
                codec=model.codec,
                preprocessing=model.preprocessing,
                for_training=False,
            ),
            options.eval_batch_size or options.batch_size,
            num_workers=options.num_parallel_workers,
            max_images=options.eval_max_images,
        )
        for label, name, path in evaluation_sets(names, paths)
    }
    return EvaluationSets(loaders, model, options.protocol)
