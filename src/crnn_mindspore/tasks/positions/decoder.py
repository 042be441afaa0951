"""Scores of positions to texts: the most probable ones, exactly, under a rule of form if there is one."""

import heapq
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import OPEN, Layout
from crnn_mindspore.text.ctc import Floats, log_softmax
from crnn_mindspore.text.decoder import Attribute, Decoded, Decoder, ImageLexicons, Part

Rule = Callable[[Sequence[str]], bool]

_NO_CHARACTER = "-"  # stands for "none" in raw paths


@dataclass(frozen=True)
class PositionsDecoded(Decoded):
    """A reading; its `confidence` is the product of the probabilities of the text's positions, or the least.

    Attributes:
        characters: The probability of each character of the text.
    """

    characters: tuple[float, ...] = ()


class PositionsDecoder(Decoder):
    """The most probable texts of scores (T, N, K), in order.

    Positions are independent, so the probability of a text is the product of theirs. A text ends at its first
    "none". Probabilities are those of the network: what a rule or a restriction excludes is left out, and the
    others do not grow.

    Args:
        codec: Of the layout.
        rule: Whether a text may be: takes the classes of all positions of the text, `""` where there is none.
        allowed: Name of a position -> the only classes that are read there.
        temperature: Divides the scores; changes confidences and no order.
        most_tried: Texts of an image that are shown to the rule, the most probable first, before it is given
            up and read as "" with confidence 0.
        by_weakest: Confidence is the probability of the text's least certain position, instead of the product
            of all.

    Raises:
        UserError: If `allowed` names an unknown position or class, or leaves no class; in reading, if the
            rule raises an exception.
    """

    def __init__(
        self,
        codec: PositionsCodec,
        rule: Rule | None = None,
        allowed: Mapping[str, Sequence[str]] | None = None,
        temperature: float = 1.0,
        most_tried: int = 100_000,
        by_weakest: bool = False,
    ) -> None:
        super().__init__(codec)
        self.codec: PositionsCodec = codec
        self.rule = rule
        self.temperature = temperature
        self.most_tried = most_tried
        self.by_weakest = by_weakest
        self._mask = _restricted(codec.layout, allowed or {})
        self._given_up = 0
        # Whether no two choices of classes write one text.
        self._is_unambiguous = all(
            max(map(len, p.classes)) == 1 and len(set(p.classes)) == len(p.classes) for p in codec.layout.text
        )
        self.name = (
            "positions"
            + (", with a rule of form" if rule else "")
            + (", restricted" if allowed else "")
            + (", weakest position" if by_weakest else "")
        )

    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """The up to `count` most probable texts of each of N images, the best first; at least one each.

        Args:
            logits: (T, N, K) scores; those of classes that a position lacks are not looked at.
            count: Readings wanted, at least 1.
            lexicons: Not looked at.
        """
        del lexicons
        log_probs = self._log_probs(logits, self.temperature)
        allowed = np.where(self._mask[:, None], log_probs, -np.inf)
        return [self._readings(log_probs[:, n], allowed[:, n], count) for n in range(log_probs.shape[1])]

    def probabilities(self, logits: Floats, targets: Sequence[Sequence[int]]) -> Floats:
        """(N k,) confidences of texts, k for each of N images side by side; 0 where a position is open.

        Args:
            logits: (T, N, K) scores.
            targets: The ids of N k readings.
        """
        length = len(self.codec.layout.text)
        log_probs = self._log_probs(logits, 1.0)[:length]
        log_probs = np.repeat(log_probs, max(len(targets) // max(logits.shape[1], 1), 1), axis=1)
        chosen = np.array([row[:length] for row in targets], dtype=np.int64).reshape(-1, length).T  # (T,N)
        of_positions = np.take_along_axis(log_probs, np.maximum(chosen, 0)[:, :, None], axis=2)[:, :, 0]
        known = np.where(chosen == OPEN, -np.inf, of_positions)
        return np.exp(known.min(axis=0) if self.by_weakest else known.sum(axis=0))

    def parts(self, logits: Floats, target: Sequence[int]) -> list[Part]:
        """The characters of a text in logits (T, K); a step is a position."""
        log_probs = self._log_probs(logits[:, None], 1.0)[:, 0]
        found = []
        for t, (position, i) in enumerate(zip(self.codec.layout.text, target, strict=False)):
            if i != OPEN and position.classes[i]:
                found.append(Part(position.classes[i], float(np.exp(log_probs[t, i])), t, t))
        return found

    def notes(self) -> list[str]:
        """How many images no text fitted the rule for."""
        if not self._given_up:
            return []
        return [
            f'{self._given_up:,} images read as "": none of their {self.most_tried:,} most probable texts '
            "has the form that is asked for"
        ]

    def _log_probs(self, logits: Floats, temperature: float) -> Floats:
        own = self.codec.layout.mask[:, None]  # (T,1,K)
        return log_softmax(np.where(own, logits / temperature, -np.inf))

    def _readings(self, log_probs: Floats, allowed: Floats, count: int) -> list[Decoded]:
        """The readings of one image from (T, K); `allowed` is -inf for what may not be read."""
        layout = self.codec.layout
        length = len(layout.text)
        best = log_probs.argmax(axis=1)
        raw = "".join(p.classes[i] or _NO_CHARACTER for p, i in zip(layout.text, best, strict=False))
        others = allowed[length:].argmax(axis=1).tolist()
        attributes = tuple(
            Attribute(position.name, position.classes[i], float(np.exp(log_probs[length + k, i])))
            for k, (position, i) in enumerate(zip(layout.attributes, others, strict=True))
        )
        readings: dict[str, Decoded] = {}  # two ways to write one text are one reading
        for ids in self._fitting(allowed[:length], count):
            text = self.codec.decode(ids)
            if text not in readings:
                probabilities = np.exp(log_probs[np.arange(length), ids])
                written = [
                    p for p, i, at in zip(probabilities, ids, layout.text, strict=True) if at.classes[i]
                ]
                characters = tuple(float(p) for p in written)
                confidence = float(probabilities.min() if self.by_weakest else np.prod(probabilities))
                readings[text] = PositionsDecoded(
                    text, confidence, raw, (*ids, *others), attributes, characters
                )
            if len(readings) == count:
                break
        if not readings:
            self._given_up += 1
            return [PositionsDecoded("", 0.0, raw, (OPEN,) * length + tuple(others), attributes)]
        return list(readings.values())

    def _fitting(self, allowed: Floats, count: int) -> Iterator[tuple[int, ...]]:
        """Ids of the texts that the rule lets pass, the most probable first."""
        text = self.codec.layout.text
        if count == 1 and self.rule is None:
            yield from most_probable_one(allowed, [position.none for position in text])
            return
        most = count if self.rule is None and self._is_unambiguous else allowed.shape[1]
        found = most_probable(allowed, [position.none for position in text], most)
        for ids in islice(found, self.most_tried):
            if self._is_met([p.classes[i] for p, i in zip(text, ids, strict=True)]):
                yield ids

    def _is_met(self, found: list[str]) -> bool:
        """Whether the classes of a text have the form that is asked for."""
        if self.rule is None:
            return True
        try:
            return bool(self.rule(found))
        except UserError:
            raise
        except Exception as error:  # the user's own code
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise UserError(
                f"{last.filename}, line {last.lineno}: the rule of form fails on {found}: "
                f"{type(error).__name__}: {error}"
            ) from None


def most_probable_one(log_probs: Floats, nones: Sequence[int | None]) -> list[tuple[int, ...]]:
    """The first of `most_probable` alone, if there is one; in a small part of its time."""
    characters = log_probs.copy()
    for t, none in enumerate(nones):
        if none is not None:
            characters[t, none] = -np.inf
    best = characters.argmax(axis=1).tolist()
    values = characters[np.arange(len(best)), best].tolist()
    endings = [
        -np.inf if none is None else float(row[none]) for row, none in zip(log_probs, nones, strict=True)
    ]
    sums = [sum(values[:length] + endings[length:]) for length in range(len(best) + 1)]
    length = int(np.argmax(sums))  # of equals the shortest, as there
    if not np.isfinite(sums[length]):
        return []
    return [(*best[:length], *(none for none in nones[length:] if none is not None))]


def most_probable(log_probs: Floats, nones: Sequence[int | None], most: int) -> Iterator[tuple[int, ...]]:
    """One class a position, all there are, in falling order of the sum of their values.

    Args:
        log_probs: (T, K); classes of -inf are left out.
        nones: Of each position the class that ends a text, behind which only such classes follow; or None.
        most: Classes of a position that are looked at, the best ones: enough for as many results.

    Source: Lawler 1972, a procedure for the K best solutions; here the successors of a result take the next
    class at one place, none before the place moved last, so that each result is met once.
    """
    orders = [_order(row, none, most) for row, none in zip(log_probs, nones, strict=True)]
    values = [row[order] for row, order in zip(log_probs, orders, strict=True)]
    endings = [-np.inf if none is None else row[none] for row, none in zip(log_probs, nones, strict=True)]

    def entry(ranks: tuple[int, ...], moved: int) -> tuple[float, tuple[int, ...], int]:
        length = len(ranks)
        terms = [values[t][rank] for t, rank in enumerate(ranks)] + endings[length:]
        return -float(sum(terms)), ranks, moved

    heap = []
    for length in range(len(orders) + 1):  # characters before the first "none"
        is_possible = all(order.size for order in orders[:length]) and np.isfinite(endings[length:]).all()
        if is_possible:
            heap.append(entry((0,) * length, 0))
    heapq.heapify(heap)
    while heap:
        _, ranks, moved = heapq.heappop(heap)
        ending = [none for none in nones[len(ranks) :] if none is not None]
        yield (*(int(orders[t][rank]) for t, rank in enumerate(ranks)), *ending)
        for t in range(moved, len(ranks)):
            if ranks[t] + 1 < len(orders[t]):
                heapq.heappush(heap, entry((*ranks[:t], ranks[t] + 1, *ranks[t + 1 :]), t))


def _order(values: Floats, none: int | None, most: int) -> npt.NDArray[np.intp]:
    """The best classes of a position but "none", the best first."""
    candidates = np.flatnonzero(np.isfinite(values))
    candidates = candidates[candidates != none] if none is not None else candidates
    if most < len(candidates):
        candidates = candidates[np.sort(np.argpartition(-values[candidates], most - 1)[:most])]
    return candidates[np.argsort(-values[candidates], kind="stable")]


def _restricted(layout: Layout, allowed: Mapping[str, Sequence[str]]) -> npt.NDArray[np.bool_]:
    """(T, K), True for the classes that may be read."""
    mask = layout.mask
    names = [position.name for position in layout.positions]
    for name, classes in allowed.items():
        if name not in names:
            raise UserError(f"decoding: {unknown_message('position', name, names)}")
        position = layout.positions[names.index(name)]
        unknown = [c for c in classes if c not in position.classes]
        if unknown:
            raise UserError(f"decoding: position {name!r} has no class {unknown[0]!r}")
        if not classes:
            raise UserError(f"decoding: no class is left for position {name!r}")
        mask[names.index(name)] &= [c in classes for c in position.classes] + [False] * (
            layout.num_classes - len(position.classes)
        )
    return mask
