"""Optimisers by name."""

from collections.abc import Sequence

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from crnn_mindspore.errors import UserError

OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "radam", "rmsprop", "adadelta")

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # of Adam and its relatives
_RECTIFIED_STEPS = 20_000  # after these, rectification and bias correction are 1 in float32
_NO_DENOMINATOR = 1e8  # an epsilon beside which the root of any second moment is nothing


class DecoupledDecay(nn.Cell):
    """Weight decay beside the gradients: a weight w becomes w - learning_rate * decay * w.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2; the decay follows
    the whole learning rate, as in PyTorch, not the schedule's multiplier alone.

    Args:
        parameters: What is trained.
        decays: Of each of them the share that goes at a learning rate of 1.
    """

    def __init__(self, parameters: Sequence[Parameter], decays: Sequence[float]) -> None:
        super().__init__(auto_prefix=False)
        self.decayed = ParameterTuple([p for p, decay in zip(parameters, decays, strict=True) if decay])
        self.decays = tuple(decay for decay in decays if decay)

    def construct(self, learning_rate: Tensor) -> Tensor:
        for i in range(len(self.decayed)):
            ops.assign(self.decayed[i], self.decayed[i] * (1 - learning_rate * self.decays[i]))
        return learning_rate


class AdamW(nn.Adam):
    """Adam, before whose step the weights decay; see `DecoupledDecay`.

    MindSpore's `nn.AdamWeightDecay` is decoupled too, but has no bias correction.

    Args:
        parameters: What is trained.
        decays: See `DecoupledDecay`.
        learning_rate: See `nn.Adam`.
    """

    def __init__(self, parameters: list[Parameter], decays: Sequence[float], learning_rate: float) -> None:
        super().__init__(parameters, learning_rate=learning_rate)
        self.decay = DecoupledDecay(parameters, decays)

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        self.decay(self.learning_rate)
        return super().construct(gradients)


class RAdam(nn.Optimizer):
    """Rectified Adam, before whose step the weights decay; see `DecoupledDecay`.

    While too few gradients were seen for the variance of Adam's step to be known, it is a step of momentum;
    then Adam's, the smaller the less is known.

    Source: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2020, algorithm 2. As in its
    authors' program, rectification begins where the length of the approximated average is 5 (step 6; in the
    paper 4, step 5), epsilon is added to the uncorrected root, and the weight decay is decoupled.

    Args:
        parameters: What is trained.
        decays: See `DecoupledDecay`.
        learning_rate: Until it is set.
    """

    def __init__(self, parameters: list[Parameter], decays: Sequence[float], learning_rate: float) -> None:
        super().__init__(learning_rate, parameters)
        self.decay = DecoupledDecay(parameters, decays)
        self.moment1 = self.parameters.clone(prefix="moment1", init="zeros")
        self.moment2 = self.parameters.clone(prefix="moment2", init="zeros")
        sizes, epsilons = rectified_steps(_RECTIFIED_STEPS)
        self.sizes, self.epsilons = Tensor(sizes), Tensor(epsilons)
        # With powers of 0 the operator corrects nothing; what is to be corrected is in the size of the step.
        self.adam = ops.Adam()
        self.no_power = Tensor(0.0, ms.float32)

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        step = ops.minimum(self.global_step, _RECTIFIED_STEPS - 1).reshape(())
        size = self.learning_rate * ops.gather(self.sizes, step, 0)
        epsilon = ops.gather(self.epsilons, step, 0)
        self.decay(self.learning_rate)
        for i in range(len(self.moment1)):
            self.adam(
                self.parameters[i],
                self.moment1[i],
                self.moment2[i],
                self.no_power,
                self.no_power,
                size,
                _BETA1,
                _BETA2,
                epsilon,
                gradients[i],
            )
        return ops.depend(size, self.assignadd(self.global_step, self.global_step_increase_tensor))


def rectified_steps(count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """What the first steps of RAdam are multiplied by, and their epsilon, (count,) each; the first is step 1.

    A step is size * m / (sqrt(v) + epsilon) of the uncorrected moments. Computed here, since differences of
    numbers near 1 lose too much in float32.
    """
    t = np.arange(1, count + 1, dtype=np.float64)
    longest = 2 / (1 - _BETA2) - 1
    length = longest - 2 * t * _BETA2**t / (1 - _BETA2**t)
    is_rectified = length >= 5
    rest = np.where(is_rectified, length, 5)  # a value that computes, not used
    rectification = np.sqrt(
        (rest - 4) * (rest - 2) * longest / ((longest - 4) * (longest - 2) * rest) * (1 - _BETA2**t)
    )
    sizes = np.where(is_rectified, rectification, _NO_DENOMINATOR) / (1 - _BETA1**t)
    epsilons = np.where(is_rectified, _EPSILON, _NO_DENOMINATOR)
    return sizes.astype(np.float32), epsilons.astype(np.float32)


def create_optimizer(
    name: str,
    parameters: list[Parameter],
    momentum: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 0.0,
    gamma_decay: float = 0.0,
) -> nn.Optimizer:
    """An optimiser whose learning rate is set before every step with `set_learning_rate`.

    Args:
        name: `sgd`: with momentum; the first velocity is the gradient, and the learning rate scales the
            velocity when it is applied.
            `momentum`: the same without Nesterov; by another operator, which on CPUs is faster, and which
            there ignores a wish for Nesterov.
            `adam`: with the constants 0.9, 0.999 and 1e-8. Source: Kingma and Ba, 2015, in the order of
            computation that ends their section 2, where 1e-8 is added to the uncorrected root.
            `adamw`: see `AdamW`; with Adam's constants.
            `radam`: see `RAdam`; with Adam's constants.
            `rmsprop`: decay 0.9, without momentum, 1e-10 added under the root; the mean square starts at 1,
            as in TensorFlow, so that the first steps are small. Source: Tieleman and Hinton, Coursera
            lecture 6.5, 2012.
            `adadelta`: decay 0.9, as the CRNN paper trains, and epsilon 1e-6; made for a learning rate of 1.
            Source: Zeiler, 2012.
        parameters: The trained parameters.
        momentum: Of `sgd` and `momentum`.
        nesterov: Of `sgd`.
        weight_decay: L2 penalty on the weights of convolutions, dense and recurrent layers, added to the
            gradient after clipping; with `adamw` and `radam` the decoupled decay. Biases are spared.
        gamma_decay: The same of batch norm's gamma.

    Raises:
        UserError: If the name is unknown or a value out of range.
    """
    if name not in OPTIMIZERS:
        raise UserError(f"optimizer is {name!r}, must be one of {', '.join(OPTIMIZERS)}")
    if not 0 <= momentum < 1:
        raise UserError(f"momentum is {momentum}, must be from 0 to below 1")
    for option, value in (("weight_decay", weight_decay), ("gamma_decay", gamma_decay)):
        if value < 0:
            raise UserError(f"{option} is {value}, must not be negative")
    rate = 0.1  # until the first set_learning_rate
    decays = [decay_of(parameter.name, weight_decay, gamma_decay) for parameter in parameters]
    if name in ("adamw", "radam"):
        return (AdamW if name == "adamw" else RAdam)(parameters, decays, rate)
    groups = parameters
    if any(decays):
        groups = [
            {
                "params": [p for p, own in zip(parameters, decays, strict=True) if own == decay],
                "weight_decay": decay,
            }
            for decay in sorted(set(decays), reverse=True)
        ]
    if name == "sgd":
        return nn.SGD(groups, learning_rate=rate, momentum=momentum, nesterov=nesterov and momentum > 0)
    if name == "momentum":
        return nn.Momentum(groups, learning_rate=rate, momentum=momentum)
    if name == "rmsprop":
        return nn.RMSProp(groups, learning_rate=rate)
    if name == "adadelta":
        return nn.Adadelta(groups, learning_rate=rate)
    return nn.Adam(groups, learning_rate=rate)


def set_learning_rate(optimizer: nn.Optimizer, value: float) -> None:
    """The learning rate of the next step."""
    optimizer.learning_rate.set_data(
        type(optimizer.learning_rate.value())(value, optimizer.learning_rate.dtype)
    )


def decay_of(name: str, weight_decay: float, gamma_decay: float) -> float:
    """The decay of a parameter: one for batch norm's gamma, none for biases and batch norm's beta."""
    last = name.rsplit(".", 1)[-1]
    if last == "gamma":
        return gamma_decay
    return 0.0 if last.startswith("bias") or last == "beta" else weight_decay
