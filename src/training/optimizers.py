"""Optimisers by name."""

from mindspore import Parameter, nn

from src.errors import UserError


def create_optimizer(
    name: str,
    parameters: list[Parameter],
    momentum: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 0.0,
) -> nn.Optimizer:
    """An optimiser whose learning rate is set before every step with `set_learning_rate`.

    Args:
        name: `sgd` (with momentum) or `adam`.
        parameters: The trained parameters.
        momentum: Of `sgd`.
        nesterov: Of `sgd`.
        weight_decay: L2 penalty; biases and batch norm are spared.

    Raises:
        UserError: If the name is unknown or a value out of range.
    """
    if not 0 <= momentum < 1:
        raise UserError(f"momentum is {momentum}, must be from 0 to below 1")
    if weight_decay < 0:
        raise UserError(f"weight_decay is {weight_decay}, must not be negative")
    groups = parameters
    if weight_decay > 0:
        spared = [p for p in parameters if is_spared_from_decay(p.name)]
        decayed = [p for p in parameters if not is_spared_from_decay(p.name)]
        groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    if name == "sgd":
        return nn.SGD(groups, learning_rate=0.1, momentum=momentum, nesterov=nesterov and momentum > 0)
    if name == "adam":
        return nn.Adam(groups, learning_rate=0.1)
    raise UserError(f"optimizer is {name!r}, must be one of sgd, adam")


def set_learning_rate(optimizer: nn.Optimizer, value: float) -> None:
    """The learning rate of the next step."""
    optimizer.learning_rate.set_data(
        type(optimizer.learning_rate.value())(value, optimizer.learning_rate.dtype)
    )


def is_spared_from_decay(name: str) -> bool:
    """Whether a parameter is a bias or belongs to batch norm."""
    last = name.rsplit(".", 1)[-1]
    return last.startswith("bias") or last in ("gamma", "beta")
