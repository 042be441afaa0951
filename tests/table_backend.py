"""A network that is a table."""

from collections.abc import Iterable, Mapping

import numpy as np
from conftest import word_image

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing, preprocess
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset


class TableBackend:
    """Reads the image of a word by looking it up; what it does not know reads as 'unknown'.

    Args:
        words: The words it knows, or what it makes of each: the text, and the logit of the classes on the
            text's path (the others have 0).
        weights_sha256: Of its description.
    """

    name = "table"

    def __init__(
        self, words: Iterable[str] | Mapping[str, tuple[str, float]], weights_sha256: str = "aa"
    ) -> None:
        self.artifact = Artifact(Charset(), Preprocessing(), NetworkSpec("V1"), weights_sha256=weights_sha256)
        self.batch_sizes: list[int] = []
        known = words if isinstance(words, Mapping) else {word: (word, 30.0) for word in words}
        self._readings = {self._key(word): reading for word, reading in known.items()}

    def _key(self, word: str) -> bytes:
        return preprocess(word_image(word), self.artifact.preprocessing).tobytes()

    def forward(self, images: np.ndarray) -> np.ndarray:
        self.batch_sizes.append(len(images))
        logits = np.zeros((24, len(images), 37), dtype=np.float32)
        for n, image in enumerate(images):
            word, peak = self._readings.get(image.tobytes(), ("unknown", 30.0))
            path = np.full(24, 36)
            path[: 2 * len(word) : 2] = Charset().encode(word)  # a blank between any two letters
            logits[range(24), n, path] = peak
        return logits
