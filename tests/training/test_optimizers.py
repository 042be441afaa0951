"""Every optimiser's first ten steps against its published rule in float64."""

from collections.abc import Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn
from update_rules import Adadelta, Adam, RAdam, RmsProp, Rule, Sgd

from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.training.updates.optimizers import OPTIMIZERS, create_optimizer, set_learning_rate

pytestmark = pytest.mark.slow

SHAPES = {"rnn.weight_ih_l0": (4, 3), "rnn.bias_ih_l0": (4,), "conv.weight": (2, 3, 1, 2), "bn.gamma": (2,)}
STEPS = 10


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


class Update(nn.Cell):
    """The optimiser inside a compiled graph, as in a training step."""

    def __init__(self, optimizer: nn.Optimizer) -> None:
        super().__init__(auto_prefix=False)
        self.optimizer = optimizer

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        return self.optimizer(gradients)


def random_arrays(seed: int, scale: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, scale, shape).astype(np.float32) for name, shape in SHAPES.items()}


def gradients_of(step: int) -> dict[str, np.ndarray]:
    """Of very different sizes, from 1e-4 to 10, and some exactly 0."""
    gradients = random_arrays(100 + step, 1.0)
    sizes = np.geomspace(1e-4, 10, 4, dtype=np.float32)
    gradients["rnn.weight_ih_l0"] *= sizes[:, None]
    gradients["conv.weight"][step % 2] = 0
    return gradients


def create_parameters() -> list[Parameter]:
    return [Parameter(Tensor(array), name=name) for name, array in random_arrays(1, 0.5).items()]


@pytest.mark.parametrize(("weight_decay", "gamma_decay"), [(0.0, 0.0), (0.3, 0.0), (0.2, 0.4)])
@pytest.mark.parametrize(
    ("options", "create_rule", "peak"),
    [
        ({"name": "sgd"}, lambda: Sgd(0.95, nesterov=True), 0.02),
        ({"name": "sgd", "momentum": 0.9, "nesterov": False}, lambda: Sgd(0.9, nesterov=False), 0.02),
        ({"name": "momentum"}, lambda: Sgd(0.95, nesterov=False), 0.02),
        ({"name": "adam"}, Adam, 0.1),
        ({"name": "adamw"}, Adam, 0.1),
        ({"name": "radam"}, RAdam, 0.1),
        ({"name": "rmsprop"}, RmsProp, 0.1),
        ({"name": "adadelta"}, Adadelta, 1.0),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_the_first_ten_steps_equal_the_published_rule(
    options: dict, create_rule: Callable[[], Rule], peak: float, weight_decay: float, gamma_decay: float
) -> None:
    parameters, rule = create_parameters(), create_rule()
    optimizer = create_optimizer(
        parameters=parameters, weight_decay=weight_decay, gamma_decay=gamma_decay, **options
    )
    decays = {"rnn.weight_ih_l0": weight_decay, "conv.weight": weight_decay, "bn.gamma": gamma_decay}
    update = Update(optimizer)
    expected = {p.name: p.asnumpy().astype(np.float64) for p in parameters}
    for step in range(STEPS):
        rate = peak * (STEPS - step) / STEPS  # another one at every step
        gradients = gradients_of(step)
        for name, weight in expected.items():
            gradient, penalty = gradients[name].astype(np.float64), decays.get(name, 0.0) * weight
            if options["name"] in ("adamw", "radam"):
                expected[name] = rule.update(name, weight - rate * penalty, gradient, rate)
            else:
                expected[name] = rule.update(name, weight, gradient + penalty, rate)
        set_learning_rate(optimizer, rate)
        update(tuple(Tensor(gradients[p.name]) for p in optimizer.parameters))
        for parameter in parameters:
            np.testing.assert_allclose(
                parameter.asnumpy(), expected[parameter.name], rtol=1e-5, atol=1e-5, err_msg=parameter.name
            )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_stored_state_is_all_that_the_next_steps_depend_on(name: str) -> None:
    def run(update: Update, steps: range) -> None:
        for step in steps:
            set_learning_rate(update.optimizer, 0.1 / (1 + step))
            gradients = gradients_of(step)
            update(tuple(Tensor(gradients[p.name]) for p in update.optimizer.parameters))

    whole, resumed = (Update(create_optimizer(name, create_parameters(), weight_decay=0.1)) for _ in range(2))
    run(whole, range(3))
    stored = {p.name: p.asnumpy().copy() for p in whole.optimizer.get_parameters()}
    assert set(SHAPES) < set(stored)
    for parameter in resumed.optimizer.get_parameters():
        parameter.set_data(ms.Tensor(stored[parameter.name], parameter.dtype))
    run(whole, range(3, 6))
    run(resumed, range(3, 6))
    for first, second in zip(whole.optimizer.parameters, resumed.optimizer.parameters, strict=True):
        assert np.array_equal(first.asnumpy(), second.asnumpy()), first.name
        assert not np.array_equal(first.asnumpy(), stored[first.name]), first.name


def test_radam_after_very_many_steps_is_adam() -> None:
    """From where rectification and bias correction are 1 on, with moments of a long run."""
    parameters = create_parameters()
    optimizer = create_optimizer("radam", parameters)
    first, second = random_arrays(2, 0.1), random_arrays(3, 1.0)
    for moment1, moment2 in zip(optimizer.moment1, optimizer.moment2, strict=True):
        name = moment1.name.removeprefix("moment1.")
        moment1.set_data(Tensor(first[name]))
        moment2.set_data(Tensor(second[name] ** 2))
    for steps_done in (19_999, 20_000, 1_000_000):
        optimizer.global_step.set_data(Tensor([steps_done], ms.int32))
        expected, gradients = {}, gradients_of(steps_done)
        for parameter, moment1, moment2 in zip(parameters, optimizer.moment1, optimizer.moment2, strict=True):
            gradient = gradients[parameter.name]
            m = 0.9 * moment1.asnumpy() + 0.1 * gradient
            v = 0.999 * moment2.asnumpy() + 0.001 * gradient**2
            expected[parameter.name] = parameter.asnumpy() - 0.01 * m / (np.sqrt(v) + 1e-8)
        set_learning_rate(optimizer, 0.01)
        Update(optimizer)(tuple(Tensor(gradients[p.name]) for p in parameters))
        assert optimizer.global_step.asnumpy().tolist() == [steps_done + 1]
        for parameter in parameters:
            np.testing.assert_allclose(parameter.asnumpy(), expected[parameter.name], rtol=1e-5, atol=1e-6)


def test_sgd_keeps_the_names_of_its_state() -> None:
    names = {p.name for p in create_optimizer("sgd", create_parameters()).get_parameters()} - set(SHAPES)
    states = {f"{kind}.{name}" for kind in ("accum", "stat") for name in SHAPES}
    assert names == states | {"learning_rate", "momentum", "global_step"}
