"""Optimisers by name."""

from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from crnn_mindspore.errors import UserError

OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "rmsprop", "adadelta")


class AdamW(nn.Adam):
    """Adam with decoupled weight decay: before Adam's step, a weight w becomes w - learning_rate * decay * w.

    MindSpore's `nn.AdamWeightDecay` is decoupled too, but has no bias correction.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2; the decay follows
    the whole learning rate, as in PyTorch, not the schedule's multiplier alone.

    Args:
        parameters: What is trained.
        decayed: Those of them that decay.
        learning_rate: See `nn.Adam`.
        weight_decay: Share of a weight that goes at a learning rate of 1.
    """

    def __init__(
        self,
        parameters: list[Parameter],
        decayed: list[Parameter],
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        super().__init__(parameters, learning_rate=learning_rate)
        self.decayed = ParameterTuple(decayed)
        self.decoupled_decay = weight_decay

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        kept = 1 - self.learning_rate * self.decoupled_decay
        for parameter in self.decayed:
            ops.assign(parameter, parameter * kept)
        return super().construct(gradients)


def create_optimizer(
    name: str,
    parameters: list[Parameter],
    momentum: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 0.0,
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
            `rmsprop`: decay 0.9, without momentum, 1e-10 added under the root; the mean square starts at 1,
            as in TensorFlow, so that the first steps are small. Source: Tieleman and Hinton, Coursera
            lecture 6.5, 2012.
            `adadelta`: decay 0.9, as the CRNN paper trains, and epsilon 1e-6; made for a learning rate of 1.
            Source: Zeiler, 2012.
        parameters: The trained parameters.
        momentum: Of `sgd` and `momentum`.
        nesterov: Of `sgd`.
        weight_decay: L2 penalty, added to the gradient after clipping; with `adamw` the decoupled decay.
            Biases and batch norm are spared.

    Raises:
        UserError: If the name is unknown or a value out of range.
    """
    if name not in OPTIMIZERS:
        raise UserError(f"optimizer is {name!r}, must be one of {', '.join(OPTIMIZERS)}")
    if not 0 <= momentum < 1:
        raise UserError(f"momentum is {momentum}, must be from 0 to below 1")
    if weight_decay < 0:
        raise UserError(f"weight_decay is {weight_decay}, must not be negative")
    rate = 0.1  # until the first set_learning_rate
    decayed = [p for p in parameters if not is_spared_from_decay(p.name)]
    if name == "adamw":
        return AdamW(parameters, decayed, rate, weight_decay)
    groups = parameters
    if weight_decay > 0:
        spared = [p for p in parameters if is_spared_from_decay(p.name)]
        groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
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


def is_spared_from_decay(name: str) -> bool:
    """Whether a parameter is a bias or belongs to batch norm."""
    last = name.rsplit(".", 1)[-1]
    return last.startswith("bias") or last in ("gamma", "beta")
