"""The L1 penalty on batch norm's gamma: every optimiser's steps with it against the rule in float64."""

from collections.abc import Callable

import mindspore as ms
import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_SCALE
from mindspore import Parameter, Tensor, nn
from update_rules import Adadelta, Adam, RAdam, RmsProp, Rule, Sgd

from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.crnn import CRNN
from crnn_mindspore.tasks.ctc.learning.ctc_loss import CTCLoss, UnreadShare
from crnn_mindspore.training.updates.gamma_penalty import GammaPenalty
from crnn_mindspore.training.updates.optimizers import create_optimizer, set_learning_rate
from crnn_mindspore.training.updates.step import CRNNForTrain

pytestmark = pytest.mark.slow

STRENGTH, STEPS = 0.25, 8
START = {
    "conv.weight": np.array([0.5, -1.0], np.float32),
    "bn.gamma": np.array([1.0, -0.5, 0.03, 0.0], np.float32),
    "bn.beta": np.array([0.2, -0.2, 0.1, 0.0], np.float32),
}
SHRINKS = ("adamw", "radam")


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


class Update(nn.Cell):
    """Penalty and optimiser inside a compiled graph, as in a training step."""

    def __init__(self, optimizer: nn.Optimizer) -> None:
        super().__init__(auto_prefix=False)
        self.optimizer = optimizer
        self.penalty = GammaPenalty(optimizer, STRENGTH)

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        return self.optimizer(self.penalty(gradients))


def gradients_of(step: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(step)
    gradients = {name: rng.normal(0, 0.1, array.shape).astype(np.float32) for name, array in START.items()}
    gradients["bn.gamma"][2:] = 0  # channels that no image needs
    return gradients


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize(
    ("options", "create_rule", "peak"),
    [
        ({"name": "sgd"}, lambda: Sgd(0.95, nesterov=True), 0.02),
        ({"name": "momentum"}, lambda: Sgd(0.95, nesterov=False), 0.02),
        ({"name": "adam"}, Adam, 0.05),
        ({"name": "adamw"}, Adam, 0.05),
        ({"name": "radam"}, RAdam, 0.05),
        ({"name": "rmsprop"}, RmsProp, 0.05),
        ({"name": "adadelta"}, Adadelta, 1.0),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else None,
)
def test_steps_equal_the_rule(
    options: dict, create_rule: Callable[[], Rule], peak: float, weight_decay: float
) -> None:
    parameters = [Parameter(Tensor(array), name=name) for name, array in START.items()]
    optimizer = create_optimizer(
        parameters=parameters, weight_decay=weight_decay, gamma_decay=weight_decay / 2, **options
    )
    update, rule = Update(optimizer), create_rule()
    decays = {"conv.weight": weight_decay, "bn.gamma": weight_decay / 2}
    expected = {name: array.astype(np.float64) for name, array in START.items()}
    for step in range(STEPS):
        rate, gradients = peak * (STEPS - step) / STEPS, gradients_of(step)
        for name, weight in expected.items():
            gradient, strength = gradients[name].astype(np.float64), STRENGTH * name.endswith("gamma")
            if options["name"] in SHRINKS:
                shrunk = np.sign(weight) * np.maximum(np.abs(weight) - rate * strength, 0)
                start = shrunk - rate * decays.get(name, 0.0) * shrunk
            else:
                start = weight
                gradient = gradient + strength * np.sign(weight) + decays.get(name, 0.0) * weight
            expected[name] = rule.update(name, start, gradient, rate)
        set_learning_rate(optimizer, rate)
        update(tuple(Tensor(gradients[p.name]) for p in optimizer.parameters))
        for parameter in parameters:
            found = parameter.asnumpy()
            # A gamma that crosses 0 has another sign in float32 than in float64 only where both are about 0.
            np.testing.assert_allclose(found, expected[parameter.name], rtol=1e-5, atol=1e-5)
            expected[parameter.name] = found.astype(np.float64)
    gamma = next(p for p in parameters if p.name == "bn.gamma").asnumpy()
    assert gamma[3] == 0, "an unused gamma of 0 stays"
    if options["name"] in SHRINKS:
        assert gamma[2] == 0, "an unused gamma is 0 to the last bit"
    assert abs(gamma[0]) < 1 and abs(gamma[1]) < 0.5


def test_a_training_step_adds_it_behind_clipping_to_gamma_alone() -> None:
    rng = np.random.default_rng(0)
    images = Tensor(rng.uniform(-1, 1, (2, 3, 32, 40)).astype(np.float32))
    targets, lengths = Tensor(np.array([[1, 2], [3, 0]], np.int32)), Tensor(np.array([2, 1], np.int32))
    clip_norm, rate, strength = 0.5, 0.1, 0.4
    found = {}
    for penalised in (False, True):
        ms.set_seed(3)
        network = CRNN(5, TINY_HIDDEN, "V2", TINY_SCALE).set_train(True)
        optimizer = create_optimizer("sgd", network.trainable_params(), momentum=0.0)
        penalty = GammaPenalty(optimizer, strength) if penalised else None
        step = CRNNForTrain(
            network, CTCLoss(4), UnreadShare(4), optimizer, clip_norm=clip_norm, penalty=penalty
        )
        set_learning_rate(optimizer, rate)
        before = {p.name: p.asnumpy().copy() for p in network.trainable_params()}
        _, norm, _ = step(images, targets, lengths)
        assert float(norm.asnumpy()) > clip_norm  # it clips, and reports the norm without the penalty
        found[penalised] = {p.name: (before[p.name], p.asnumpy()) for p in network.trainable_params()}
    for name, (start, plain) in found[False].items():
        again, penalised = found[True][name]
        assert np.array_equal(start, again)
        expected = plain - rate * strength * np.sign(start) if name.endswith(".gamma") else plain
        np.testing.assert_allclose(penalised, expected, atol=1e-6, err_msg=name)


def test_a_negative_strength_is_refused() -> None:
    optimizer = create_optimizer("sgd", [Parameter(Tensor(START["bn.gamma"]), name="bn.gamma")])
    with pytest.raises(UserError, match="gamma_l1 is -1, must not be negative"):
        GammaPenalty(optimizer, -1)
