"""Starting from a trained network: what it reads at first, and convolutions that stay as they are."""

import mindspore as ms
import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_SCALE, VERSIONS
from reference import crnn_logits, random_weights

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.weights import CLASS_LAYERS
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.mindspore.network_backend import create_network
from crnn_mindspore.engines.mindspore.parameters import load_weights, network_weights
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.crnn import CRNN, scaled_channels
from crnn_mindspore.tasks.ctc.learning.ctc_loss import CTCLoss, UnreadShare
from crnn_mindspore.tasks.ctc.learning.pretrained import load_pretrained
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoders.greedy import GreedyDecoder
from crnn_mindspore.training.checkpoints.checkpoint import Checkpoint
from crnn_mindspore.training.checkpoints.resume import TrainingTensors
from crnn_mindspore.training.updates.optimizers import create_optimizer, set_learning_rate
from crnn_mindspore.training.updates.step import CRNNForTrain, WeightAverage

LETTERS, MIXED = Charset("abcdefghijklmnopqrstuvwxyz"), Charset("0123456789zyxwvutsrqponmlkjihgfedcbaAB!")


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


def artifact_of(version: str, charset: Charset, width: int = 100, hidden: int = TINY_HIDDEN) -> Artifact:
    return Artifact(charset, Preprocessing(width=width), NetworkSpec(version, hidden, TINY_SCALE))


def batch(count: int = 3, width: int = 100) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (count, 3, 32, width)).astype(np.float32)


def forward(network: CRNN, images: np.ndarray) -> np.ndarray:
    return network.set_train(False)(ms.Tensor(images)).asnumpy()


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_a_grown_network_has_the_logits_and_readings_it_had(version: str, log: list[str]) -> None:
    weights = random_weights(27, TINY_HIDDEN, scaled_channels(TINY_SCALE), version)
    old, new = artifact_of(version, LETTERS), artifact_of(version, MIXED, width=160)
    trained, grown = create_network(old), create_network(new)
    load_weights(trained, weights, "test")
    load_pretrained(grown, Checkpoint(weights, {}, old, None), new, "a.ckpt")
    images = batch(16)
    before, after = forward(trained, images), forward(grown, images)
    places = [MIXED.characters.index(c) for c in LETTERS.characters]
    # The parameters are equal to the last bit, their products nearly: MindSpore's order of sums depends on
    # a column's place among the columns.
    kept = network_weights(grown)
    for name, array in weights.items():
        is_class = name.startswith(CLASS_LAYERS[version])
        assert np.array_equal(kept[name][[*places, MIXED.blank]] if is_class else kept[name], array), name
    np.testing.assert_allclose(after[..., [*places, MIXED.blank]], before, atol=1e-6)
    added = np.delete(after, [*places, MIXED.blank], axis=2)
    assert added.shape[2] == 13
    assert (added.max(axis=2) < before.mean(axis=2)).all()
    texts = [[r.text for r in GreedyDecoder(c)(x)] for c, x in ((LETTERS, before), (MIXED, after))]
    assert texts[0] == texts[1]
    assert len("".join(texts[0])) > 16


def test_sizes_that_differ_are_named(log: list[str]) -> None:
    weights = random_weights(27, TINY_HIDDEN, scaled_channels(TINY_SCALE), "V2")
    wanted = artifact_of("V2", LETTERS, hidden=2 * TINY_HIDDEN)
    for own in (artifact_of("V2", LETTERS), None):  # with a self-description, and as the model zoo writes it
        checkpoint = Checkpoint(weights, {}, own, None)
        with pytest.raises(UserError, match=r"a\.ckpt: was made with hidden_size 8, but hidden_size 16"):
            load_pretrained(create_network(wanted), checkpoint, wanted, "a.ckpt")
    wanted = artifact_of("V2", MIXED)
    with pytest.raises(
        UserError, match=r"a\.ckpt: has 27 classes, but label_dict has 39 .*crnn convert weights"
    ):
        load_pretrained(create_network(wanted), Checkpoint(weights, {}, None, None), wanted, "a.ckpt")


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_frozen_features_do_not_change_and_are_those_of_evaluation(version: str) -> None:
    weights = random_weights(27, TINY_HIDDEN, scaled_channels(TINY_SCALE), version)
    network = create_network(artifact_of(version, LETTERS), use_dropout=False).freeze_features()
    load_weights(network, weights, "test")
    optimizer = create_optimizer("sgd", network.trainable_params(), weight_decay=0.1)
    average = WeightAverage(network.changing_parameters(), decay=0.5)
    step = CRNNForTrain(network, CTCLoss(LETTERS.blank), UnreadShare(LETTERS.blank), optimizer).set_train(
        True
    )
    network.set_train(True)
    # Batch norm with the statistics of this batch, as in training, would give other logits.
    found = network(ms.Tensor(batch())).asnumpy()
    np.testing.assert_allclose(found, crnn_logits(batch(), weights, version), atol=1e-4)

    set_learning_rate(optimizer, 0.01)
    targets = ms.Tensor(np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]], np.int32))
    for number in range(2):
        step(ms.Tensor(batch()), targets, ms.Tensor(np.full(3, 3, np.int32)))
        average.update(number)
    after = network_weights(network)
    assert {n for n, a in after.items() if np.array_equal(a, weights[n])} == {
        n for n in weights if n.startswith("vgg.")
    }

    tensors = TrainingTensors(network, optimizer, average)
    stored = tensors.weights()
    assert stored.keys() == weights.keys()
    recurrent = [n for n in weights if n.startswith("rnn.")]
    assert not [n for n in recurrent if np.array_equal(stored[n], after[n])]  # the averages
    assert sorted(n for n in tensors.others() if n.startswith("raw.")) == sorted(
        f"raw.{n}" for n in recurrent
    )
