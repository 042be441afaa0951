"""An L1 penalty on the gamma of batch norm: channels that do little go to 0, for `crnn prune` to cut."""

from mindspore import ParameterTuple, Tensor, nn, ops

from crnn_mindspore.errors import UserError
from crnn_mindspore.training.updates.optimizers import AdamW, RAdam


class GammaPenalty(nn.Cell):
    """Adds the gradient of strength * sum |gamma|, which is strength * sign(gamma), 0 at 0.

    With decoupled decay (AdamW, RAdam) each gamma goes towards 0 by learning_rate * strength before the step
    instead, and stops there: the gradients stay as they are.

    Source: Liu et al., Learning Efficient Convolutional Networks through Network Slimming, 2017, section 3
    and equation 1; Parikh, Boyd, Proximal Algorithms, 2014, section 6.5.2, for the decoupled step.

    Args:
        optimizer: Whose parameters are trained; its learning rate is read at every step.
        strength: Of the penalty, at least 0.

    Inputs:
        The gradients, in the order of the optimiser's parameters, clipped already.

    Returns:
        The gradients with the penalty's.

    Raises:
        UserError: If the strength is negative.
    """

    def __init__(self, optimizer: nn.Optimizer, strength: float) -> None:
        super().__init__(auto_prefix=False)
        if strength < 0:
            raise UserError(f"gamma_l1 is {strength}, must not be negative")
        self.strength = strength
        self.is_decoupled = isinstance(optimizer, AdamW | RAdam)
        self.learning_rate = optimizer.learning_rate
        self.parameters = ParameterTuple(list(optimizer.parameters))
        self.is_gamma = tuple(p.name.rsplit(".", 1)[-1] == "gamma" for p in optimizer.parameters)

    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        penalised: tuple[Tensor, ...] = ()
        for i in range(len(self.parameters)):
            gradient = gradients[i]
            if self.is_gamma[i]:
                gamma = self.parameters[i]
                if self.is_decoupled:
                    left = ops.relu(ops.abs(gamma) - self.learning_rate * self.strength)
                    ops.assign(gamma, ops.sign(gamma) * left)
                else:
                    gradient = gradient + self.strength * ops.sign(gamma).astype(gradient.dtype)
            penalised += (gradient,)
        return penalised
