"""How scores become readings: the options of decoding."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.options.common import DecodingOptions

GREEDY, BEAM, LEXICON, PRIOR = DECODERS = ("greedy", "beam", "lexicon", "prior")
ENGLISH = "en"
AUTO = "auto"  # what the description of the model says

PRODUCT, WEAKEST = "product", "weakest"

# What users call the lexicons of the data sets -> the names of their files.
IMAGE_LEXICONS = {"50": "50", "1k": "1000", "1000": "1000", "full": "full"}


@dataclass(frozen=True)
class Decoding:
    """What to decode with.

    Attributes:
        decoder: greedy, beam, lexicon or prior; auto for what the model's description says.
        lexicon: For lexicon: 50, 1k or full for the words that the data set gives with each image, or a file
            with one word a line for all images.
        beam_width: For beam: prefixes kept at every step.
        language_model: For beam: a file with one word a line, from which a character model is made; or "".
        language_weight: For beam: weight of the language model's log-probability.
        length_bonus: For beam: added to the score for each character.
        prior: For prior: a language or a file of words; "" for what the model says, else English.
        reject_below: Readings with a lower confidence are marked as rejected.
        forms: For positions: a yaml with the forms that alone are read; or "".
        confidence: For positions: product of all, or weakest.
    """

    decoder: str = GREEDY
    lexicon: str = ""
    beam_width: int = 10
    language_model: str = ""
    language_weight: float = 0.3
    length_bonus: float = 0.0
    prior: str = ""
    reject_below: float = 0.0
    forms: str = ""
    confidence: str = PRODUCT

    def check(self) -> None:
        """Raises UserError for an option that is missing, out of range, or of another decoder."""
        if self.decoder not in (*DECODERS, AUTO):
            raise UserError(f"decoder is {self.decoder!r}, must be one of {', '.join((AUTO, *DECODERS))}")
        if self.decoder == LEXICON and not self.lexicon:
            raise UserError("decoder lexicon needs --lexicon: 50, 1k, full, or a file with one word a line")
        for option, owner in (("lexicon", LEXICON), ("language_model", BEAM), ("prior", PRIOR)):
            value = getattr(self, option)
            if value and self.decoder != owner:
                raise UserError(f"{option} {value!r} needs --decoder={owner}, but decoder is {self.decoder}")
        if self.beam_width < 1:
            raise UserError(f"beam_width is {self.beam_width}, must be at least 1")
        for option in ("language_weight", "length_bonus"):
            if not math.isfinite(getattr(self, option)):
                raise UserError(f"{option} is {getattr(self, option)}, must be a number")
        if self.language_weight < 0:
            raise UserError(f"language_weight is {self.language_weight}, must not be negative")
        check_reject_below(self.reject_below)

    def settled(self, reading: Mapping[str, Any]) -> "Decoding":
        """This decoding with what a model's description says of reading where it is left open."""
        decoder = reading.get("decoder", GREEDY) if self.decoder == AUTO else self.decoder
        if decoder == PRIOR and not self.prior:
            return replace(self, decoder=decoder, prior=reading.get("prior", ENGLISH))
        return replace(self, decoder=decoder)

    @property
    def measuring(self) -> "Decoding":
        """This decoding, greedy where the model would decide: figures say what the network alone reads."""
        return replace(self, decoder=GREEDY) if self.decoder == AUTO else self

    @property
    def image_lexicon(self) -> str | None:
        """Name of the lexicon the data set must have, None if it needs none."""
        return IMAGE_LEXICONS.get(self.lexicon) if self.decoder == LEXICON else None


GREEDY_DECODING = Decoding()
AUTO_DECODING = Decoding(AUTO)


def decoding_of(options: DecodingOptions) -> Decoding:
    """The decoding that options ask for, checked.

    Raises:
        UserError: If they contradict each other.
    """
    decoding = Decoding(**{field.name: getattr(options, field.name) for field in fields(Decoding)})
    decoding.check()
    return decoding


def check_reject_below(value: float) -> None:
    """Raises UserError if the threshold is no probability."""
    if not 0 <= value <= 1:
        raise UserError(f"reject_below is {value}, must be between 0 and 1")
