"""`src.eval_callback`: when it evaluates while training, and what it keeps."""

from pathlib import Path
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from src.eval_callback import EvalCallBack


class One(nn.Cell):
    """A network of one number."""

    def __init__(self) -> None:
        super().__init__()
        self.value = ms.Parameter(ms.Tensor([0.0], ms.float32), name="value")


class Training:
    """Epochs of a training that sets the network to their number, and what was printed of them."""

    def __init__(self, folder: Path, results: list[float], **options: object) -> None:
        self.network = One()
        self.left = list(results)
        self.seen: list[float] = []
        self.callback = EvalCallBack(
            self.evaluate, {"answer": 42}, ckpt_directory=str(folder / "ckpt"), **options
        )

    def evaluate(self, parameters: dict) -> float:
        assert parameters == {"answer": 42}
        self.seen.append(self.network.value.asnumpy().item())
        return self.left.pop(0)

    def run(self, epochs: int) -> None:
        for epoch in range(1, epochs + 1):
            ms.ops.assign(self.network.value, ms.Tensor([float(epoch)], ms.float32))
            state = SimpleNamespace(cur_epoch_num=epoch, train_network=self.network)
            self.callback.on_train_epoch_end(SimpleNamespace(original_args=lambda state=state: state))
        self.callback.on_train_end(SimpleNamespace())


def saved(path: Path) -> float:
    return ms.load_checkpoint(str(path))["value"].asnumpy().item()


def test_the_last_of_equal_results_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = Training(tmp_path, [0.0, 0.5, 0.25, 0.5, 0.4])
    training.run(5)
    assert (training.callback.best_res, training.callback.best_epoch) == (0.5, 4)
    assert saved(tmp_path / "ckpt" / "best.ckpt") == 4
    assert [path.name for path in (tmp_path / "ckpt").iterdir()] == ["best.ckpt"]
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "epoch: 1, acc: 0.000000"
    assert printed[-1] == "End training, the best acc is: 0.500000, the best acc epoch is 4"


def test_it_evaluates_from_an_epoch_on_and_every_so_many(tmp_path: Path) -> None:
    training = Training(tmp_path, [0.1, 0.2, 0.3], eval_start_epoch=2, interval=3, best_ckpt_name="mine")
    training.run(8)
    assert training.seen == [2, 5, 8]
    assert saved(tmp_path / "ckpt" / "mine.ckpt") == 8


def test_nothing_is_saved_where_it_is_not_wanted_or_by_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Training(tmp_path, [0.5], save_best_ckpt=False).run(1)
    monkeypatch.setenv("RANK_ID", "1")
    monkeypatch.setenv("RANK_SIZE", "2")
    Training(tmp_path, [0.5]).run(1)
    assert list((tmp_path / "ckpt").iterdir()) == []


def test_all_saved_checkpoints_are_evaluated_and_the_network_stays_what_it_was(tmp_path: Path) -> None:
    training = Training(tmp_path, [0.3, 0.9, 0.1], eval_start_epoch=2, eval_all_saved_ckpts=True)
    for number in (10, 20, 30):
        path = tmp_path / "ckpt" / f"crnn-{number}.ckpt"
        ms.save_checkpoint([{"name": "value", "data": ms.Tensor([float(number)])}], str(path))
    training.run(2)
    assert training.seen == [10, 20, 30]
    assert saved(tmp_path / "ckpt" / "best.ckpt") == 20
    np.testing.assert_array_equal(training.network.value.asnumpy(), [2.0])


def test_an_interval_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="interval is 0"):
        Training(tmp_path, [], interval=0)
