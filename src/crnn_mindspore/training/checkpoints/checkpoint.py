"""Checkpoints of a run: parameters, optimiser state, self-description and where the run is, in one file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import mindspore as ms

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.checkpoint_file import STATE_KEY, Weights, read_checkpoint_file, read_texts
from crnn_mindspore.engines.mindspore.parameters import write_checkpoint
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import parse_json

TEMPORARY_GLOB = ".crnn*-*.tmp*"  # what `save_checkpoint` leaves when it is killed


@dataclass(frozen=True)
class TrainState:
    """Everything beside parameters and optimiser that a resumed training needs.

    Attributes:
        step: Optimiser updates done.
        images_seen: Images trained on, over all processes.
        steps_per_epoch: Gives epoch and position in it together with `step`.
        seed: Of data order, distortions and dropout.
        best_accuracy: Best word accuracy of an evaluation so far; negative before the first.
        best_step: Its step.
        best_ned: Its 1-NED, which decides between equal accuracies.
        best_of: What it was measured on: data sets, protocol.
        evaluated_step: The step of the last evaluation; -1 where the checkpoint is older than this field.
        run: Which run this is, the same for all its resumptions; "" in checkpoints older than this field.
        run_number: How many runs had saved into the folder before it; tells what is newest there.
        options: Those that decide what is learnt, by name; see `resume_policy`.
        data: What the training data are, by name; see `resume_policy.compare_data`.
    """

    step: int = 0
    images_seen: int = 0
    steps_per_epoch: int = 0
    seed: int = 0
    best_accuracy: float = -1.0
    best_step: int = 0
    best_ned: float = -1.0
    best_of: str = ""
    evaluated_step: int = -1
    run: str = ""
    run_number: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as read: the network's parameters, everything else saved, and what describes it."""

    weights: Weights
    others: Weights
    artifact: Artifact | None
    state: TrainState | None


def save_checkpoint(
    path: str,
    weights: Weights,
    artifact: Artifact,
    state: TrainState | None = None,
    others: Mapping[str, ms.Tensor] | None = None,
) -> Artifact:
    """Writes a checkpoint of a run; see `write_checkpoint`.

    Args:
        path: Where; a file of that name is replaced.
        weights: The network's parameters by name: those that evaluation and export use.
        artifact: The self-description; step and hash are filled in here.
        state: For resuming.
        others: Further tensors for resuming: optimiser state, averages. No name may be the network's.

    Returns:
        The self-description as stored.

    Raises:
        UserError: If it cannot be written, or a number is not finite.
    """
    if state is None:
        return write_checkpoint(path, weights, artifact, others=others)
    texts = {STATE_KEY: json.dumps(asdict(state))}
    return write_checkpoint(path, weights, replace(artifact, step=state.step), texts, others)


def read_checkpoint(path: str) -> Checkpoint:
    """Reads a checkpoint of this project or of the model zoo. Nothing is unpickled.

    Raises:
        UserError: If the file is missing, damaged or holds no CRNN.
    """
    file = read_checkpoint_file(path)
    return Checkpoint(file.weights, file.others, file.artifact, _read_state(file.texts.get(STATE_KEY), path))


def read_state(path: Path) -> TrainState | None:
    """The state in a checkpoint, quickly; None where there is no such file, no state, or only damage."""
    try:
        return _read_state(read_texts(str(path)).get(STATE_KEY), str(path)) if path.is_file() else None
    except UserError:
        return None


def _read_state(text: str | None, path: str) -> TrainState | None:
    if text is None:
        return None
    try:
        return TrainState(**parse_json(text, is_finite=False))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: its training state is damaged ({error})") from None
