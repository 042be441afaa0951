"""The decoder that options ask for."""

import logging
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.charset_in import charset_in
from crnn_mindspore.tasks.interface import Model
from crnn_mindspore.text.decoder import Decoder
from crnn_mindspore.text.decoders.beam import BeamDecoder
from crnn_mindspore.text.decoders.greedy import GreedyDecoder
from crnn_mindspore.text.decoders.lexicon import LexiconDecoder
from crnn_mindspore.text.decoders.prior_decoder import PriorDecoder
from crnn_mindspore.text.decoding import GREEDY, LEXICON, PRIOR, PRODUCT, Decoding
from crnn_mindspore.text.ngram import NgramModel
from crnn_mindspore.text.word_frequencies import word_prior
from crnn_mindspore.text.word_list import read_words

_logger = logging.getLogger(__name__)


def create_decoder(decoding: Decoding, artifact: Model) -> Decoder:
    """The decoder for a model.

    Raises:
        UserError: If the options contradict each other, a word file cannot be read, or holds no word the
            model can write.
    """
    decoding.check()
    if decoding.forms or decoding.confidence != PRODUCT:
        option = "forms" if decoding.forms else "confidence"
        raise UserError(
            f"{option} {getattr(decoding, option)!r} is for output positions; this model's is ctc"
        )
    charset = charset_in(artifact)
    if decoding.decoder == GREEDY:
        return GreedyDecoder(charset)
    if decoding.decoder == LEXICON:
        time_steps = artifact.preprocessing.time_steps
        if decoding.image_lexicon is not None:
            return LexiconDecoder(charset, time_steps, name=f"lexicon {decoding.lexicon}")
        words = [charset.compose(word) for word in read_words(Path(decoding.lexicon))[0]]
        return LexiconDecoder(charset, time_steps, words, name=f"lexicon {Path(decoding.lexicon).name}")
    if decoding.decoder == PRIOR:
        name = f"prior {Path(decoding.prior).name}"
        return PriorDecoder(charset, word_prior(decoding.prior), artifact.preprocessing.time_steps, name)
    name = f"beam {decoding.beam_width}"
    model = None
    if decoding.language_model:
        words, _ = read_words(Path(decoding.language_model))
        try:
            model = NgramModel(words, charset)
        except UserError as error:
            raise UserError(f"{decoding.language_model}: {error}") from None
        _logger.info(
            "language model: %s words of %s, %s left out: the charset cannot write them",
            f"{model.num_words:,}",
            decoding.language_model,
            f"{model.left_out:,}",
        )
        name += f" + {Path(decoding.language_model).name} {decoding.language_weight:g}"
    if decoding.length_bonus:
        name += f" + length {decoding.length_bonus:g}"
    return BeamDecoder(
        charset, decoding.beam_width, model, decoding.language_weight, decoding.length_bonus, name
    )
