"""Word accuracy, under the model zoo's name; the package's own takes texts instead of scores."""

from typing import Any

from mindspore.train import Metric

from crnn_mindspore.evaluation import metric
from crnn_mindspore.evaluation.metric import create_protocol
from crnn_mindspore.text.decoders.greedy import collapse
from src.model_utils.config import charset_of

__all__ = ["CRNNAccuracy", "create_protocol"]


class CRNNAccuracy(Metric):
    """The share of words that are read right, counted as `crnn eval` counts them.

    Words are compared under the protocol of `config`, and a word without a character that it compares is left
    out.

    Args:
        config: Of `src.model_utils.config`; its `label_dict` is the alphabet.
        print_flag: Whether every word is printed: what was read, then the truth.
    """

    def __init__(self, config: Any, print_flag: bool = True) -> None:
        super().__init__()
        self.print_flag = print_flag
        self._charset = charset_of(config)
        protocol = create_protocol(getattr(config, "protocol", "auto"), self._charset)
        self._words = metric.CRNNAccuracy(protocol)
        self._left_out = 0

    def clear(self) -> None:
        """Forgets all words."""
        self._words.clear()
        self._left_out = 0

    def update(self, *inputs: Any) -> None:
        """Counts the words of a batch.

        Args:
            inputs: Scores (T, N, C); then class ids (N, L) padded with the blank, or a list of N texts.

        Raises:
            ValueError: If there are more or fewer inputs.
        """
        if len(inputs) != 2:
            raise ValueError(f"CRNNAccuracy takes scores and labels (y_pred, y), got {len(inputs)} inputs")
        blank = self._charset.blank
        best = self._convert_data(inputs[0]).argmax(axis=2)  # (T,N,C) -> (T,N)
        for path, label in zip(best.T, self._texts(inputs[1]), strict=True):
            reading = self._charset.decode(collapse(path, blank))
            if self.print_flag:
                print(reading, " :: ", label)
            if self._words.protocol.normalize(label):
                self._words.update([reading], [label])
            else:
                self._left_out += 1

    def eval(self) -> float:
        """The rate, between 0 and 1; prints the two counts.

        Raises:
            UserError: If no word was counted.
        """
        found = self._words.eval()
        print(f"correct num: {found.correct} , total num: {found.total}")
        if self._left_out:
            print(f"{self._left_out} words left out: nothing to compare under this protocol")
        return found.word_accuracy

    def _texts(self, labels: Any) -> list[str]:
        if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
            return labels
        blank = self._charset.blank
        return [self._charset.decode(row[row < blank]) for row in self._convert_data(labels)]
