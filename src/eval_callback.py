"""Evaluation while training, under the model zoo's name."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mindspore as ms
from mindspore import nn, ops
from mindspore.train import Callback, RunContext

from crnn_mindspore.modelarts.process import job_process
from crnn_mindspore.whole_file import whole_file

__all__ = ["EvalCallBack"]


class EvalCallBack(Callback):
    """Evaluates after epochs of `Model.train`, and keeps the best checkpoint.

    Args:
        eval_function: Takes `eval_param_dict` and returns the result, larger is better.
        eval_param_dict: What it needs.
        interval: Epochs between two evaluations.
        eval_start_epoch: The first epoch, from 1, that is followed by one.
        save_best_ckpt: Whether the network is saved when its result is at least the best so far. Only the
            first process saves.
        eval_all_saved_ckpts: Evaluate each `crnn*.ckpt` of the folder instead of the network as it is.
        ckpt_directory: The folder; it is made.
        best_ckpt_name: Name of the best checkpoint in it.
        metrics_name: What the result is called in the lines printed.

    Attributes:
        best_res: The best result so far.
        best_epoch: Its epoch; 0 before the first.

    Raises:
        ValueError: If the interval is below 1.
    """

    def __init__(
        self,
        eval_function: Callable[[Mapping[str, Any]], float],
        eval_param_dict: Mapping[str, Any],
        interval: int = 1,
        eval_start_epoch: int = 1,
        save_best_ckpt: bool = True,
        eval_all_saved_ckpts: bool = False,
        ckpt_directory: str = "./",
        best_ckpt_name: str = "best.ckpt",
        metrics_name: str = "acc",
    ) -> None:
        super().__init__()
        if interval < 1:
            raise ValueError(f"interval is {interval}, must be at least 1")
        self.eval_function = eval_function
        self.eval_param_dict = eval_param_dict
        self.interval = interval
        self.eval_start_epoch = eval_start_epoch
        self.save_best_ckpt = save_best_ckpt
        self.eval_all_saved_ckpts = eval_all_saved_ckpts
        self.ckpt_directory = ckpt_directory
        self.best_ckpt_path = os.path.join(ckpt_directory, best_ckpt_name.removesuffix(".ckpt") + ".ckpt")
        self.metrics_name = metrics_name
        self.best_res = 0.0
        self.best_epoch = 0
        os.makedirs(ckpt_directory, exist_ok=True)

    def on_train_epoch_end(self, run_context: RunContext) -> None:
        """Evaluates if it is due."""
        found = run_context.original_args()
        since_start = found.cur_epoch_num - self.eval_start_epoch
        if since_start < 0 or since_start % self.interval:
            return
        if self.eval_all_saved_ckpts:
            self._evaluate_saved(found.train_network, found.cur_epoch_num)
        else:
            self._evaluate(found.train_network, found.cur_epoch_num)

    def on_train_end(self, run_context: RunContext) -> None:
        """Says which was the best."""
        print(
            f"End training, the best {self.metrics_name} is: {self.best_res:.6f}, "
            f"the best {self.metrics_name} epoch is {self.best_epoch}",
            flush=True,
        )

    def _evaluate(self, network: nn.Cell, epoch: int, of: str = "") -> None:
        result = self.eval_function(self.eval_param_dict)
        print(f"epoch: {epoch}, {of}{self.metrics_name}: {result:.6f}", flush=True)
        if result < self.best_res:
            return
        self.best_res, self.best_epoch = result, epoch
        print(f"update best result: {result:.6f}", flush=True)
        if self.save_best_ckpt and job_process().rank == 0:
            _save(network, self.best_ckpt_path)
            print(f"update best checkpoint at: {self.best_ckpt_path}", flush=True)

    def _evaluate_saved(self, network: nn.Cell, epoch: int) -> None:
        """Evaluates the checkpoints of the folder one by one; the network is afterwards what it was."""
        before = {p.name: p.asnumpy().copy() for p in network.get_parameters()}
        best = Path(self.best_ckpt_path)
        paths = [path for path in Path(self.ckpt_directory).glob("crnn*.ckpt") if path.name != best.name]
        for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
            loaded = ms.load_checkpoint(str(path))
            _assign(network, {name: p.asnumpy() for name, p in loaded.items() if isinstance(p, ms.Parameter)})
            self._evaluate(network, epoch, f"{path.name} ")
        _assign(network, before)


def _assign(network: nn.Cell, arrays: Mapping[str, Any]) -> None:
    for parameter in network.get_parameters():
        if parameter.name in arrays:
            ops.assign(parameter, ms.Tensor(arrays[parameter.name], parameter.dtype))


def _save(network: nn.Cell, path: str) -> None:
    """Writes all parameters; the file is never seen half."""
    with whole_file(path) as temporary:
        ms.save_checkpoint(network, str(temporary))
