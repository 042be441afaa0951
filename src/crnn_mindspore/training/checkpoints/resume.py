"""What a training is made of, as tensors to store, and back."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import nn

from crnn_mindspore.artifacts.checkpoint_file import (
    LOSS_PREFIX,
    OPTIMIZER_PREFIX,
    RAW_PREFIX,
    SCALER_PREFIX,
    Weights,
)
from crnn_mindspore.engines.mindspore.parameters import load_weights, network_weights
from crnn_mindspore.errors import UserError
from crnn_mindspore.training.checkpoints.checkpoint import Checkpoint, TrainState
from crnn_mindspore.training.checkpoints.resume_policy import compare_data, compare_options, step_in_epoch
from crnn_mindspore.training.updates.step import Scaler, WeightAverage

_logger = logging.getLogger(__name__)

_AVERAGE_PREFIX = "ema."


class TrainingTensors:
    """Network, optimiser, averaged weights and loss scale of one training.

    A checkpoint holds under the network's own names what is evaluated and exported: the averaged weights
    where there are any, and then the trained ones under `raw.`.
    """

    def __init__(
        self,
        network: nn.Cell,
        optimizer: nn.Optimizer,
        average: WeightAverage | None = None,
        scaler: Scaler | None = None,
        loss: nn.Cell | None = None,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.average = average
        self.scaler = scaler
        self.loss = loss

    def weights(self) -> Weights:
        """What is evaluated and exported."""
        weights = network_weights(self.network)
        if self.average is not None:
            for parameter in self.average.averages:
                weights[parameter.name.removeprefix(_AVERAGE_PREFIX)] = parameter.asnumpy().copy()
        return weights

    def others(self) -> dict[str, ms.Tensor]:
        """Everything else that resuming needs."""
        stored = {OPTIMIZER_PREFIX + p.name: p for p in self._optimizer_parameters()}
        if self.average is not None:
            stored |= {RAW_PREFIX + p.name: p for p in self.average.sources}
        stored |= {LOSS_PREFIX + p.name: p for p in self._loss_parameters()}
        return stored | {SCALER_PREFIX + p.name: p for p in self._scaler_parameters()}

    def restore(self, checkpoint: Checkpoint, origin: str) -> None:
        """Puts everything back as it was.

        Raises:
            UserError: If something is missing or has another shape.
        """
        raw = _under(checkpoint.others, RAW_PREFIX)
        load_weights(self.network, {**checkpoint.weights, **raw}, origin)
        if self.average is not None:
            for parameter in self.average.averages:
                array = checkpoint.weights[parameter.name.removeprefix(_AVERAGE_PREFIX)]
                parameter.set_data(ms.Tensor(array, parameter.dtype))
        elif raw:
            _logger.warning("%s: averaged weights are left behind, ema_decay is now 0", origin)
        self._restore_optimizer(_under(checkpoint.others, OPTIMIZER_PREFIX), origin)
        of_loss = _under(checkpoint.others, LOSS_PREFIX)
        for parameter in self._loss_parameters():
            if parameter.name in of_loss:  # not in those of a training with another loss
                parameter.set_data(ms.Tensor(of_loss[parameter.name], parameter.dtype))
        scaler = _under(checkpoint.others, SCALER_PREFIX)
        for parameter in self._scaler_parameters():
            if parameter.name in scaler:  # not in those of a training in full precision
                parameter.set_data(ms.Tensor(scaler[parameter.name], parameter.dtype))

    def _scaler_parameters(self) -> list[ms.Parameter]:
        """What a dynamic scaler knows; a fixed one knows nothing."""
        if not isinstance(self.scaler, ms.amp.DynamicLossScaler):
            return []
        return [self.scaler.scale_value, self.scaler.counter]

    def _loss_parameters(self) -> list[ms.Parameter]:
        """What a loss remembers of earlier batches."""
        return [] if self.loss is None else list(self.loss.get_parameters())

    def _optimizer_parameters(self) -> list[ms.Parameter]:
        own = {p.name for p in self.network.get_parameters()}
        return [p for p in self.optimizer.get_parameters() if p.name not in own]

    def _restore_optimizer(self, stored: Mapping[str, npt.NDArray[np.generic]], origin: str) -> None:
        parameters = self._optimizer_parameters()
        names = {p.name for p in parameters}
        differing = [f"{name} is missing" for name in sorted(names - stored.keys())]
        differing += [f"{name} is too much" for name in sorted(stored.keys() - names)]
        if differing:
            raise UserError(
                f"{origin}: its optimiser is another one: {differing[0]}; optimizer and freeze_features must "
                "be as they were; to start anew from its weights, use --pretrained"
            )
        for parameter in parameters:
            parameter.set_data(ms.Tensor(stored[parameter.name], parameter.dtype))


def resumed_state(checkpoint: Checkpoint, fresh: TrainState, origin: str) -> TrainState:
    """Where to go on.

    Step and best result are the checkpoint's, the seed and the options the new ones. With another number of
    steps an epoch because of another number of devices or another batch size, training goes on behind the
    images of the epoch that it has seen; see `step_in_epoch`. With other data the position within the epoch
    means nothing: training goes on at the start of the epoch it was in.

    Raises:
        UserError: If the checkpoint holds no training state, or an option changed that must not.
    """
    state = checkpoint.state
    if state is None:
        raise UserError(
            f"{origin}: holds no training state to resume; to start from its weights, use --pretrained"
        )
    compare_options(state.options, fresh.options, origin)
    compare_data(state.data, fresh.data, origin)
    saved_options = state.options
    # A checkpoint without a name of its run is older than that: it goes on as a new run.
    run = (state.run, state.run_number) if state.run else (fresh.run, fresh.run_number)
    state = replace(state, seed=fresh.seed, options=fresh.options, data=fresh.data)
    state = replace(state, run=run[0], run_number=run[1])
    if state.steps_per_epoch != fresh.steps_per_epoch:
        epoch, done = divmod(state.step, state.steps_per_epoch)
        position = step_in_epoch(saved_options, fresh.options, done)
        place = "the start" if position is None else f"step {min(position, fresh.steps_per_epoch) + 1}"
        _logger.warning(
            "%s: made with %d steps an epoch, now %d; resuming at %s of epoch %d",
            origin,
            state.steps_per_epoch,
            fresh.steps_per_epoch,
            place,
            epoch + 1,
        )
        step = epoch * fresh.steps_per_epoch + min(position or 0, fresh.steps_per_epoch)
        state = replace(state, step=step, steps_per_epoch=fresh.steps_per_epoch)
    return state


def _under(stored: Mapping[str, npt.NDArray[np.generic]], prefix: str) -> Weights:
    return {name.removeprefix(prefix): array for name, array in stored.items() if name.startswith(prefix)}
