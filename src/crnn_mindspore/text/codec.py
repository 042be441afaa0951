"""What a network's classes mean: from labels to targets and back, whatever the kind of output."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

EMPTY_LABEL = "empty label"
OUTSIDE_CHARSET = "outside the charset"
TOO_LONG_FOR_STEPS = "too long for the time steps"
TOO_LONG = "longer than max_text_length"


@dataclass(frozen=True)
class Refusal:
    """Why a label cannot be learnt.

    Attributes:
        reason: The same for all labels of this kind; they are counted by it.
        detail: What it is in this one, to be put behind the label: "holds 'é'".
    """

    reason: str
    detail: str = ""


class Codec(Protocol):
    """The classes of a task, and how labels become targets."""

    @property
    def classes(self) -> Sequence[str]:
        """All classes by id, as people see them; of several positions, those of the first that has most."""
        ...

    @property
    def characters(self) -> str:
        """Every character that a text may hold."""
        ...

    @property
    def num_classes(self) -> int:
        """The last axis of the scores."""
        ...

    @property
    def case_sensitive(self) -> bool:
        """Whether upper and lower case are told apart."""
        ...

    @property
    def has_plain_labels(self) -> bool:
        """Whether a label is its text and nothing beside it."""
        ...

    def normalize(self, text: str) -> str:
        """The text of a label as the classes spell it."""
        ...

    def covers(self, text: str) -> bool:
        """Whether every character of the label has a class."""
        ...

    def restrict(self, text: str) -> str:
        """The label without what has no class."""
        ...

    def refusal(self, text: str, time_steps: int, longest: int | None) -> Refusal | None:
        """Why the label cannot be learnt, None if it can.

        Args:
            text: The label.
            time_steps: That the network gives.
            longest: Most characters that are wanted; None: any number.
        """
        ...

    def encode(self, text: str) -> npt.NDArray[np.int32]:
        """The target of a label that can be learnt, (L,) int32."""
        ...

    def encode_known(self, text: str) -> npt.NDArray[np.int32]:
        """As much of the target of any label as there is, (L,) int32."""
        ...

    def agrees(self, reading: str, truth: str) -> bool:
        """Whether a reading is the truth, both as `normalize` gives them, as far as the truth is known."""
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a target."""
        ...
