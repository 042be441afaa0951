"""One update in PyTorch as `crnn_mindspore.training.updates` makes it, and the averaged weights."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer

from benchmarks.twin.guide import Guide
from crnn_mindspore.errors import UserError

ADAM_EPSILON = 1e-8
ADAM_BETAS = (0.9, 0.999)
GUIDE = "guide."  # before the names of its parameters

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Recipe:
    """How parameters change; the options of the same names.

    Attributes:
        precision: `float32`, or `bfloat16` for convolutions, LSTM and dense layers.
    """

    optimizer: str = "adam"
    momentum: float = 0.95
    nesterov: bool = True
    weight_decay: float = 0.0
    gamma_decay: float = 0.0
    gamma_l1: float = 0.0
    clip_norm: float = 10.0
    ema_decay: float = 0.0
    precision: str = "float32"


class Updates:
    """Forward, loss, backward, clipping, optimiser, average; nothing waits for the device.

    Args:
        network: On its device; trained in place.
        loss: (scores, targets, lengths) -> scalar.
        recipe: How.
        guide: Attached to the network; its loss is added, and it is trained along.

    Attributes:
        trained: Name -> parameter; those of the guide under `guide.`.
        count: Updates that the optimiser has seen, for Adam's bias correction.
        age: Updates that the averages have seen: young ones follow the network faster.
        averages: Name -> averaged tensor, batch norm statistics included; {} without averaging.
    """

    def __init__(self, network: nn.Module, loss: Loss, recipe: Recipe, guide: Guide | None = None) -> None:
        self.network = network.train()
        self.recipe = recipe
        self.guide = guide
        self.count = self.age = 0
        self._loss = loss
        self._parameters = list(network.parameters())
        self._guiding = list(guide.parameters()) if guide else []
        self.trained = dict(network.named_parameters())
        if guide:
            self.trained |= {GUIDE + name: parameter for name, parameter in guide.named_parameters()}
        self.device = self._parameters[0].device
        self.optimizer = create_optimizer(recipe, nn.ModuleList([network, guide]) if guide else network)
        self._gammas = gammas_of(network) if recipe.gamma_l1 else []
        self.averages: dict[str, torch.Tensor] = {}
        self._averaged: list[torch.Tensor] = []
        if recipe.ema_decay > 0:
            self.restart_average()

    def restart_average(self) -> None:
        """Makes the averages copies of the network."""
        if self.recipe.ema_decay > 0:
            current = tensors_of(self.network)
            self._averaged = list(current.values())
            self.averages = {name: value.detach().clone() for name, value in current.items()}
            self.age = 0

    def step(
        self, images: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor, learning_rate: float
    ) -> tuple[torch.Tensor, ...]:
        """One update; returns what was before it, on the device.

        Returns:
            The network's loss, the norm of its gradients, and, where there is a guide, the guide's loss.
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            scores = self.network(images)
            guiding = [self.guide.loss(targets, lengths)] if self.guide else []
        loss = self._loss(scores, targets, lengths)
        whole = loss + self.guide.weight * guiding[0] if self.guide else loss
        self.optimizer.zero_grad(set_to_none=True)
        whole.backward()
        norm = self._clip()
        self._set_learning_rate(learning_rate)
        self._penalise(learning_rate)
        self.optimizer.step()
        self._average()
        self.count += 1
        return loss.detach(), norm, *(its_loss.detach() for its_loss in guiding)

    @torch.no_grad()
    def _average(self) -> None:
        if self.averages:
            share = 1 - min(self.recipe.ema_decay, (1 + self.age) / (10 + self.age))
            torch._foreach_lerp_(list(self.averages.values()), self._averaged, share)
            self.age += 1

    @torch.no_grad()
    def _penalise(self, learning_rate: float) -> None:
        """As `GammaPenalty`."""
        for gamma in self._gammas:
            if self.recipe.optimizer in ("adamw", "radam"):
                left = (gamma.abs() - learning_rate * self.recipe.gamma_l1).relu_()
                gamma.copy_(gamma.sign() * left)
            elif gamma.grad is not None:
                gamma.grad.add_(gamma.sign(), alpha=self.recipe.gamma_l1)

    def _clip(self) -> torch.Tensor:
        """Clips the guide's gradients by themselves: large ones must not make the network's small."""
        if self.recipe.clip_norm > 0:
            if self._guiding:
                nn.utils.clip_grad_norm_(self._guiding, self.recipe.clip_norm)
            return nn.utils.clip_grad_norm_(self._parameters, self.recipe.clip_norm)
        return nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])

    def _set_learning_rate(self, value: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = value
            if self.recipe.optimizer in ("adam", "adamw"):  # ours adds the epsilon to the uncorrected root
                group["eps"] = ADAM_EPSILON / math.sqrt(1 - ADAM_BETAS[1] ** (self.count + 1))


def tensors_of(network: nn.Module) -> dict[str, torch.Tensor]:
    """Name -> tensor of every parameter and batch norm statistic, but not the counters of batch norm."""
    return {name: t for name, t in network.state_dict(keep_vars=True).items() if t.is_floating_point()}


def gammas_of(network: nn.Module) -> list[nn.Parameter]:
    """The gamma of every batch norm, which PyTorch calls weight."""
    norms = nn.BatchNorm1d | nn.BatchNorm2d
    return [module.weight for module in network.modules() if isinstance(module, norms)]


def create_optimizer(recipe: Recipe, network: nn.Module) -> Optimizer:
    """The optimiser of that name with our constants; its learning rate is set before every step.

    Raises:
        UserError: If there is none of that name.
    """
    parameters = list(network.parameters())
    gammas = {id(gamma) for gamma in gammas_of(network)}
    decays = [
        recipe.gamma_decay if id(p) in gammas else recipe.weight_decay if p.ndim > 1 else 0.0
        for p in parameters
    ]
    groups = [
        {
            "params": [p for p, own in zip(parameters, decays, strict=True) if own == decay],
            "weight_decay": decay,
        }
        for decay in sorted(set(decays), reverse=True)
    ]
    is_fused = parameters[0].is_cuda
    rate = 0.1  # until the first step
    if recipe.optimizer in ("sgd", "momentum"):
        nesterov = recipe.optimizer == "sgd" and recipe.nesterov and recipe.momentum > 0
        return torch.optim.SGD(groups, rate, recipe.momentum, nesterov=nesterov, fused=is_fused)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, rate, ADAM_BETAS, ADAM_EPSILON, fused=is_fused)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, rate, ADAM_BETAS, ADAM_EPSILON, fused=is_fused)
    if recipe.optimizer == "radam":
        return torch.optim.RAdam(groups, rate, ADAM_BETAS, ADAM_EPSILON, decoupled_weight_decay=True)
    if recipe.optimizer == "adadelta":
        return torch.optim.Adadelta(groups, rate, rho=0.9, eps=1e-6, foreach=True)
    if recipe.optimizer == "rmsprop":
        return RMSProp(groups, rate)
    raise UserError(f"optimizer is {recipe.optimizer!r}; PyTorch's side knows sgd, momentum, adam, adamw, "
                    "adadelta and rmsprop")  # fmt: skip


class RMSProp(Optimizer):
    """As TensorFlow and MindSpore have it: the mean square starts at 1, the epsilon stands under the root."""

    def __init__(self, groups: Iterable[dict], rate: float, decay: float = 0.9, epsilon: float = 1e-10):
        super().__init__(groups, {"lr": rate, "decay": decay, "eps": epsilon, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            gradients = [p.grad for p in parameters]
            if group["weight_decay"]:
                gradients = torch._foreach_add(gradients, parameters, alpha=group["weight_decay"])
            for p in parameters:
                self.state[p].setdefault("square_avg", torch.ones_like(p))
            squares = [self.state[p]["square_avg"] for p in parameters]
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["decay"])
            roots = torch._foreach_sqrt(torch._foreach_add(squares, group["eps"]))
            torch._foreach_addcdiv_(parameters, gradients, roots, -group["lr"])
