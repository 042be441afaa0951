"""Decoders side by side on the same network outputs: time a word, and word accuracy.

    python benchmarks/decoders.py [--checkpoint_path F --dataset folder --dataset_path P]

Without a model, outputs are made up: words with doubtful characters. Lexicons are made here: for every word
itself and others drawn from the truths with a fixed seed, and the truths among the most frequent English
words. `within 3 edits` is how the paper approximates a lexicon of 50,000 words: the exact score of the words
within an edit distance of 3 from the greedy reading, and the greedy reading where there is none.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import machine, markdown_table
from crnn_mindspore.evaluation.metric import classic_text
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ctc import Floats, log_softmax, text_log_probabilities
from crnn_mindspore.text.decoder import Decoded, Decoder, ImageLexicons
from crnn_mindspore.text.decoders.beam import BeamDecoder
from crnn_mindspore.text.decoders.ctc_decoder import CtcDecoder, best_paths
from crnn_mindspore.text.decoders.greedy import GreedyDecoder
from crnn_mindspore.text.decoders.lexicon import LexiconDecoder
from crnn_mindspore.text.decoders.prior_decoder import PriorDecoder
from crnn_mindspore.text.ngram import NgramModel
from crnn_mindspore.text.word_frequencies import word_prior

LARGE = 50_000
PAPER_DISTANCE = 3


class WithinEdits(CtcDecoder):
    """The paper's approximation; see above."""

    name = f"lexicon 50,000, within {PAPER_DISTANCE} edits"

    def __init__(self, charset: Charset, words: Sequence[str]) -> None:
        super().__init__(charset)
        self._words = words
        self._greedy = GreedyDecoder(charset)

    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """One reading of each of N images from logits (T, N, C)."""
        del count, lexicons
        log_probs, blank = log_softmax(logits), self.charset.blank
        readings = self._greedy(logits)
        texts = [reading.text for reading in readings]
        distances = process.cdist(
            texts, self._words, scorer=Levenshtein.distance, score_cutoff=PAPER_DISTANCE, dtype=np.uint8
        )
        for n, row in enumerate(distances):
            near = np.flatnonzero(row <= PAPER_DISTANCE)
            if len(near):
                ids = [self.charset.encode(self._words[k]).tolist() for k in near]
                repeated = np.repeat(log_probs[:, n : n + 1], len(ids), axis=1)
                scores = text_log_probabilities(repeated, ids, blank)
                k = int(scores.argmax())
                raw = best_paths(log_probs[:, n : n + 1], self.charset)[0]
                readings[n] = Decoded(self._words[near[k]], float(np.exp(scores[k])), raw)
        return [[reading] for reading in readings]


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint_path", default="", help="without it, outputs are made up")
    parser.add_argument("--dataset", default="folder")
    parser.add_argument("--dataset_path", default="")
    parser.add_argument("--words", type=int, default=512, help="words read by each decoder; 0: all")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--beam_width", type=int, default=10)
    parser.add_argument("--language_weight", type=float, default=0.3)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(argv)

    english = english_words(2 * LARGE)
    if args.checkpoint_path:
        charset, logits, truths = network_outputs(args)
    else:
        charset = Charset()
        logits, truths = made_up_outputs(charset, english[: args.words or 512])
    decoders = create_decoders(charset, logits.shape[0], truths, english, args)
    rows, readings = [], {}
    for decoder, lexicons in decoders:
        seconds = []
        for _ in range(args.repeats):
            start = time.perf_counter()
            read = [
                reading.text
                for first in range(0, len(truths), args.batch_size)
                for reading in decoder(
                    logits[:, first : first + args.batch_size],
                    lexicons[first : first + args.batch_size] if lexicons else None,
                )
            ]
            seconds.append(time.perf_counter() - start)
        readings[decoder.name] = read
        right = sum(classic_text(a) == b for a, b in zip(read, truths, strict=True)) / len(truths)
        each = statistics.median(seconds) / len(truths)
        rows.append([decoder.name, f"{1000 * each:.2f}", f"{1 / each:,.0f}", f"{right:.2%}"])
    exact, near = readings["lexicon 50,000"], readings[WithinEdits.name]
    differing = sum(a != b for a, b in zip(exact, near, strict=True))
    print(f"{machine()}; {len(truths):,} words, batch {args.batch_size}\n")
    print(markdown_table(["decoder", "ms a word", "words/s", "word accuracy"], rows))
    print(f"\nthe exact search of 50,000 words and the paper's approximation differ on {differing:,} words")
    return 0


def english_words(count: int) -> list[str]:
    """The most frequent English words of letters and digits."""
    import wordfreq

    return [word for word in wordfreq.top_n_list("en", count) if classic_text(word) == word]


def network_outputs(args: argparse.Namespace) -> tuple[Charset, Floats, list[str]]:
    """(charset, logits (T, N, C), truths) of a model on a data set."""
    from crnn_mindspore.data.loading.datasets import create_dataset
    from crnn_mindspore.data.loading.loader import EvalLoader
    from crnn_mindspore.engines.backend import open_reader

    backend = open_reader(args.checkpoint_path)
    artifact = backend.artifact
    dataset = create_dataset(
        args.dataset,
        args.dataset_path,
        split="test",
        codec=artifact.codec,
        preprocessing=artifact.preprocessing,
        for_training=False,
    )
    outputs, truths = [], []
    for batch in EvalLoader(dataset, args.batch_size):
        outputs.append(backend.forward(batch.images))
        truths += [classic_text(text) for text in batch.texts]
        if args.words and len(truths) >= args.words:
            break
    kept = [n for n, truth in enumerate(truths) if truth][: args.words or None]
    return artifact.codec, np.concatenate(outputs, axis=1)[:, kept], [truths[n] for n in kept]


def made_up_outputs(charset: Charset, words: Sequence[str], time_steps: int = 24) -> tuple[Floats, list[str]]:
    """Words of which one time step in fifty is doubtful, as logits."""
    rng = np.random.default_rng(1)
    truths = [word for word in words if 2 * len(word) <= time_steps]
    logits = rng.normal(0, 1, (time_steps, len(truths), charset.num_classes))
    for n, word in enumerate(truths):
        path = np.full(time_steps, charset.blank)
        path[: 2 * len(word) : 2] = charset.encode(word)
        logits[np.arange(time_steps), n, path] += np.where(rng.random(time_steps) < 0.02, 1.0, 9.0)
    return logits, truths


def create_decoders(
    charset: Charset, time_steps: int, truths: Sequence[str], english: Sequence[str], args: argparse.Namespace
) -> list[tuple[Decoder, list[tuple[str, ...]] | None]]:
    """The decoders compared, each with the lexicons of the images where they have their own."""
    rng = np.random.default_rng(1)
    vocabulary = sorted(set(truths))
    vocabulary += [word for word in english if word not in set(truths)][: max(0, 1000 - len(vocabulary))]
    own = {
        count: [
            (truth, *(vocabulary[k] for k in rng.choice(len(vocabulary), count - 1, replace=False)))
            for truth in truths
        ]
        for count in (50, 1000)
    }
    large = list(dict.fromkeys([*vocabulary, *english]))[:LARGE]
    only_english = list(english[:LARGE])
    model = NgramModel(only_english, charset)
    beam, weight = args.beam_width, args.language_weight
    return [
        (GreedyDecoder(charset), None),
        (BeamDecoder(charset, beam), None),
        (BeamDecoder(charset, beam, model, weight, name=f"beam {beam} + n-gram {weight:g}"), None),
        (PriorDecoder(charset, word_prior("en"), time_steps, "prior en"), None),
        (LexiconDecoder(charset, time_steps, name="lexicon 50, an image"), own[50]),
        (LexiconDecoder(charset, time_steps, name="lexicon 1,000, an image"), own[1000]),
        (LexiconDecoder(charset, time_steps, large, name="lexicon 50,000"), None),
        (WithinEdits(charset, large), None),
        (LexiconDecoder(charset, time_steps, only_english, name="lexicon 50,000 without the truths"), None),
    ]


if __name__ == "__main__":
    sys.exit(main())
