"""More than the text: what else an image could say, where each character stands, and the alignment strip.

Everything comes from the logits that the text was read from, at the temperature of the calibration, so that
the numbers fit the confidence of the reading.
"""

from dataclasses import dataclass

import numpy as np

from src.inference.report.strip import Strip, create_strip
from src.text.alignment import Span, align
from src.text.beam import BeamDecoder
from src.text.calibration import CalibratedDecoder
from src.text.ctc import Floats, log_softmax
from src.text.decoder import Decoded, Decoder

_LEAST_BEAM_WIDTH = 10


@dataclass(frozen=True)
class Wanted:
    """What is asked for beside the text.

    Attributes:
        top_k: How many texts an image could say; 0 for none.
        positions: Whether to find the steps of each character.
        alignment: Whether to make the alignment strip.
    """

    top_k: int = 0
    positions: bool = False
    alignment: bool = False


NOTHING_WANTED = Wanted()


@dataclass(frozen=True)
class Details:
    """What was asked for; None where it was not.

    Attributes:
        alternatives: The most probable texts, the best first.
        spans: One for each character of the reading.
        strip: Class probabilities over time.
    """

    alternatives: list[Decoded] | None = None
    spans: list[Span] | None = None
    strip: Strip | None = None


def find_details(logits: Floats, reading: Decoded, decoder: Decoder, wanted: Wanted) -> Details:
    """What `wanted` asks for about one image.

    Args:
        logits: (T, C) of the image.
        reading: What the decoder made of them.
        decoder: Alternatives come from it if it is a beam search, else from one without a language model: a
            word of a lexicon has alternatives outside of it, too.
        wanted: What to find.
    """
    if wanted == NOTHING_WANTED:
        return Details()
    temperature = decoder.temperature if isinstance(decoder, CalibratedDecoder) else 1.0
    log_probs = log_softmax(logits / temperature)
    charset = decoder.charset
    ids = charset.encode(reading.text).tolist()
    return Details(
        alternatives=_alternatives(log_probs, decoder, wanted.top_k) if wanted.top_k else None,
        spans=align(log_probs, ids, charset.blank) if wanted.positions else None,
        strip=create_strip(np.exp(log_probs), ids, charset.blank) if wanted.alignment else None,
    )


def _alternatives(log_probs: Floats, decoder: Decoder, count: int) -> list[Decoded]:
    inner = decoder.decoder if isinstance(decoder, CalibratedDecoder) else decoder
    if not isinstance(inner, BeamDecoder):
        inner = BeamDecoder(decoder.charset, max(_LEAST_BEAM_WIDTH, count))
    return inner.best(log_probs[:, None], count)[0]
