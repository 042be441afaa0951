"""What a training of positions watches: accuracy of a batch, loss of an evaluation; against NumPy."""

from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.loading.loader import Batch
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.learning.learner import PositionsLearner
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.training.evaluation_loss import EvaluationLoss

pytestmark = pytest.mark.slow

CODEC = PositionsCodec(
    layout_of({"text": ["ABC", "AB"], "attributes": [{"name": "colour", "classes": ["red", "blue"]}]})
)
ARTIFACT = Artifact(CODEC, Preprocessing(32, 32), PositionsNetwork("resnet18"), task="positions")
LABELS = ["AB", "B?", "?? colour=red", "CA colour=blue", "ZZ", "AA"]
OPTIONS = SimpleNamespace(
    loss="cross_entropy",
    label_smoothing=0.0,
    focal_gamma=2.0,
    focal_alpha=1.0,
    ghm_bins=10,
    ghm_momentum=0.75,
    ghm_joint=False,
    ctc_operator="ctc_loss",
)


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


def scores() -> np.ndarray:
    """(T,N,K); the second and third position lack the third class, which here scores highest."""
    found = np.random.default_rng(5).normal(0, 1, (3, len(LABELS), 3)).astype(np.float32)
    found[1:, :, 2] = 9
    return found


def batch_of(labels: list[str], codec, readable: list[bool]) -> Batch:
    encoded = [codec.encode_known(label) for label in labels]
    lengths = np.array([len(ids) for ids in encoded], np.int32)
    targets = np.zeros((len(labels), max(lengths)), np.int32)
    for row, ids in zip(targets, encoded, strict=True):
        row[: len(ids)] = ids
    count = len(labels)
    images = np.zeros((count, 3, 32, 32), np.float32)
    return Batch(
        images, targets, lengths, labels, labels, np.array(readable), np.arange(count, dtype=np.int32)
    )


def test_the_accuracy_of_a_batch_is_of_the_texts_that_are_known() -> None:
    cell = PositionsLearner().create_accuracy(ARTIFACT)
    logits = scores()
    best = [logits[0].argmax(-1), logits[1, :, :2].argmax(-1)]
    targets = np.array([CODEC.encode_known(label) for label in LABELS])  # "ZZ" is all open
    known = [n for n in range(len(LABELS)) if (targets[n, :2] >= 0).any()]
    assert known == [0, 1, 3, 5]
    right = [all(i < 0 or i == best[t][n] for t, i in enumerate(targets[n, :2])) for n in known]
    assert 0 < sum(right) < len(right)
    found = cell(ms.Tensor(logits), ms.Tensor(targets))
    assert float(found.asnumpy()) == pytest.approx(np.mean(right))
    nothing = np.full_like(targets, -1)
    assert float(cell(ms.Tensor(logits), ms.Tensor(nothing)).asnumpy()) == 0


def test_the_loss_of_an_evaluation_is_of_images_that_can_be_learnt() -> None:
    loss_of = EvaluationLoss(ARTIFACT, OPTIONS)
    logits = scores()
    batch = batch_of(LABELS, CODEC, [True, True, False, True, True, True])
    expected = []
    for n in (0, 1, 3, 5):  # the third is unreadable, the fifth holds what its positions lack
        total = 0.0
        for t, i in enumerate(batch.targets[n]):
            row = np.exp(logits[t, n, : CODEC.layout.class_counts[t]].astype(np.float64))
            total -= np.log(row[i] / row.sum()) if i >= 0 else 0
        expected.append(total)
    np.testing.assert_allclose(loss_of(logits, batch), expected, rtol=1e-5)
    small = batch_of(LABELS[:1], CODEC, [True])  # as the last batch of a data set
    np.testing.assert_allclose(loss_of(logits[:, :1], small), expected[:1], rtol=1e-5)
    none = batch_of(["ZZ"], CODEC, [True])
    assert loss_of(logits[:, :1], none).shape == (0,)


def test_an_evaluation_uses_what_the_loss_of_the_training_remembers_and_leaves_it() -> None:
    options = SimpleNamespace(**{**vars(OPTIONS), "loss": "ghm"})
    training = PositionsLearner().create_loss(ARTIFACT, options)
    loss_of = EvaluationLoss(ARTIFACT, options)
    logits, batch = scores(), batch_of(LABELS[:2], CODEC, [True, True])
    found = []
    for seed in range(2):
        targets = np.array([CODEC.encode_known(label) for label in LABELS])
        others = np.random.default_rng(seed).normal(0, 3, logits.shape).astype(np.float32)
        training(ms.Tensor(others), ms.Tensor(targets), ms.Tensor(np.full(len(LABELS), 3, np.int32)))
        memory = {parameter.name: parameter.asnumpy().copy() for parameter in training.get_parameters()}
        loss_of.remember(memory)
        found.append(loss_of(logits[:, :2], batch))
        np.testing.assert_array_equal(found[-1], loss_of(logits[:, :2], batch))  # nothing moves
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_the_loss_of_words_leaves_out_labels_that_no_path_writes() -> None:
    charset = Charset("ab")
    artifact = Artifact(charset, Preprocessing(32, 20), NetworkSpec("V2", 8, 1 / 16))  # 4 time steps
    loss_of = EvaluationLoss(artifact, OPTIONS)
    logits = np.random.default_rng(1).normal(0, 1, (4, 3, 3)).astype(np.float32)
    found = loss_of(logits, batch_of(["ab", "aaab", "b"], charset, [True, True, True]))
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = [0.0, 0.0]
    for path in np.ndindex(3, 3, 3, 3):  # every path of four steps
        text = "".join("ab"[k] for t, k in enumerate(path) if k < 2 and (t == 0 or path[t - 1] != k))
        for place, (n, truth) in enumerate(((0, "ab"), (2, "b"))):
            if text == truth:
                expected[place] += np.prod([probabilities[t, n, k] for t, k in enumerate(path)])
    np.testing.assert_allclose(found, -np.log(expected), rtol=1e-5)
