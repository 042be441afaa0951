"""The attention decoder that guides a training in PyTorch, and the control beside it."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.torch_training import _create_sides, _fill
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.torch.torch_weights import read_torch_weights
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset

torch = pytest.importorskip("torch", reason="PyTorch is for benchmarks only")

ARTIFACT = Artifact(Charset(), Preprocessing(), NetworkSpec("V2", 8, 1 / 16))
CPU = torch.device("cpu")


def task() -> Any:
    from benchmarks.twin.task import create_task

    return create_task(ARTIFACT, SimpleNamespace(use_dropout=False))


def created(guide: float, has_control: bool = False, precision: str = "float32", seed: int = 0) -> list[Any]:
    from benchmarks.twin.update import Recipe

    torch.manual_seed(seed)
    own = SimpleNamespace(guide=guide, control=has_control, initial="ours", compile=False)
    return _create_sides(own, task(), Recipe(clip_norm=5.0, ema_decay=0.9, precision=precision), CPU)


def batch(seed: int = 0) -> tuple[Any, Any, Any]:
    """Images, targets with 0 at unused places, lengths."""
    random = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([3, 1, 7, 5], dtype=torch.int32)
    targets = torch.randint(0, 36, (4, 24), generator=random, dtype=torch.int32)
    return (
        torch.rand(4, 3, 32, 100, generator=random),
        targets * (torch.arange(24) < lengths[:, None]),
        lengths,
    )


def guide_alone() -> tuple[Any, Any]:
    """A guide and the dense layer whose input it reads."""
    from benchmarks.twin.guide import Guide

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.Linear(6, 37))
    return Guide(network, 1.0), network[1]


def test_the_loss_of_a_batch_is_the_mean_of_its_words() -> None:
    guide, dense = guide_alone()
    _, targets, lengths = batch()
    sequence = torch.rand(10, 4, 6)
    dense(sequence)
    together = guide.loss(targets, lengths).item()
    alone = []
    for row, length in enumerate(lengths.tolist()):
        dense(sequence[:, row : row + 1])
        alone.append(guide.loss(targets[row : row + 1, :length], lengths[row : row + 1]).item())
    assert together == pytest.approx(np.mean(alone), rel=1e-5)
    assert together == pytest.approx(5 * np.log(37), rel=0.2)  # four characters and the end, unlearnt


def test_a_character_is_known_to_those_behind_it_alone() -> None:
    guide, dense = guide_alone()
    _, targets, lengths = batch()
    found: list[Any] = []
    guide.head.register_forward_hook(lambda module, inputs, scores: found.append(scores.detach()))
    other = targets.clone()
    other[2, 3] += 1
    for words in (targets, other):
        dense(torch.ones(10, 4, 6))
        guide.loss(words, lengths)
    changes = (found[1] - found[0]).abs().amax(-1)
    assert found[0].shape == (4, 8, 37)
    assert changes[[0, 1, 3]].max() == 0
    assert changes[2, :4].max() == 0
    assert changes[2, 4:].min() > 1e-4


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_guide_learns_a_few_words(precision: str) -> None:
    (updates,) = created(0.5, precision=precision)
    losses = [float(updates.step(*batch(), 2e-3)[2]) for _ in range(60)]
    assert losses[-1] < 0.1 * losses[0]


def test_a_guide_teaches_all_layers_but_the_last() -> None:
    (updates,) = created(0.5)
    images, targets, lengths = batch()
    updates.network(images)
    updates.guide.loss(targets, lengths).backward()
    for name, parameter in updates.network.named_parameters():
        is_taught = parameter.grad is not None and float(parameter.grad.abs().max()) > 0
        assert is_taught != name.startswith("rnn.1.embedding"), name


def test_a_guide_is_in_the_state_and_not_in_the_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks.twin import states

    (first,), (second,), (plain,) = created(0.5), created(0.5, seed=1), created(0.0, seed=2)
    for number in range(2):
        first.step(*batch(number), 1e-3)
    states.save(tmp_path / "guided", first, ARTIFACT, states.Facts(2), 2**26)
    weights = read_torch_weights(str(tmp_path / "guided" / "weights.safetensors")).weights
    states.save(tmp_path / "plain", plain, ARTIFACT, states.Facts(0), 2**26)
    assert (
        weights.keys() == read_torch_weights(str(tmp_path / "plain" / "weights.safetensors")).weights.keys()
    )
    states.restore(tmp_path / "guided", second, ARTIFACT)
    assert "optimiser kept; guide kept" in capsys.readouterr().out
    for _ in range(2):
        figures = [[float(value) for value in updates.step(*batch(5), 1e-3)] for updates in (first, second)]
        assert figures[0] == figures[1]
    bytes_without = 8 * sum(t.numel() for t in first.averages.values()) + 210_000
    states.save(tmp_path / "small", first, ARTIFACT, states.Facts(4), bytes_without)
    states.restore(tmp_path / "small", second, ARTIFACT)
    assert "optimiser kept; guide new" in capsys.readouterr().out
    states.restore(tmp_path / "guided", plain, ARTIFACT)  # goes on without it
    assert len(plain.step(*batch(), 1e-3)) == 2
    states.save(tmp_path / "plain", plain, ARTIFACT, states.Facts(3), 2**26)
    states.restore(tmp_path / "plain", second, ARTIFACT)
    assert "optimiser kept; guide new" in capsys.readouterr().out
    second.step(*batch(), 1e-3)


class Words:
    """Chunks of 16 random images without end, in place of rendering processes."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    def poll(self) -> None:
        return None

    def next(self) -> Any:
        from benchmarks.twin.pool import Chunk

        images = self._random.integers(0, 256, (16, 32, 100, 3), dtype=np.uint8)
        targets = self._random.integers(0, 36, (16, 24), dtype=np.int32)
        return Chunk(torch.from_numpy(images), torch.from_numpy(targets), np.full(16, 5, dtype=np.int32))

    def stop(self) -> None:
        pass


def trained(folder: Path, guide: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """The weights of both sides after five updates."""
    from benchmarks.twin.states import Facts
    from benchmarks.twin.training import Plan, Training

    updates, control = created(guide, has_control=True)
    plan = Plan(8, 0, 5, 0.25, 1e-3, 1, None, 2, 64, 16, 1.0, 0.0, 1e9, 2**26, time.perf_counter())
    Training(task(), updates, Words(), Facts(), plan, folder, 3, control).run()  # type: ignore[arg-type]
    first, second = (
        read_torch_weights(str(place / "weights.safetensors")).weights
        for place in (folder, folder / "control")
    )
    return dict(first), dict(second)


def test_a_control_is_the_same_training_without_a_guide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, control = trained(tmp_path / "alone", 0.0)
    for name, array in alone.items():
        assert np.array_equal(control[name], array), name
    capsys.readouterr()
    guided, control = trained(tmp_path / "guided", 0.5)
    assert all(np.array_equal(control[name], array) for name, array in alone.items())
    assert not np.array_equal(guided["vgg.conv1.conv.weight"], alone["vgg.conv1.conv.weight"])
    line = capsys.readouterr().out.splitlines()[0]
    loss, of_control = (part.split("loss ")[1].split()[0] for part in line.split("control:"))
    assert loss == of_control  # of the first batch, CTC's part alone
    assert "guide" in line.split("control:")[0]


def test_both_sides_go_on_or_begin_from_one_state(tmp_path: Path) -> None:
    trained(tmp_path, 0.5)
    both, one = created(0.5, has_control=True, seed=1), created(0.0, seed=1)
    assert _fill(both, ARTIFACT, None, str(tmp_path), True).updates == 5
    control = tmp_path / "control"
    assert _fill(one, ARTIFACT, None, str(control), True).updates == 5
    sides = created(0.5, has_control=True, seed=2)
    assert _fill(sides, ARTIFACT, None, str(control), True).updates == 5  # has no control of its own
    for name, value in one[0].averages.items():
        assert torch.equal(both[1].averages[name], value)
        assert torch.equal(sides[0].averages[name], value)
        assert torch.equal(sides[1].averages[name], value)
    from benchmarks.twin import states

    states.save(control, one[0], ARTIFACT, states.Facts(4), 2**26)
    with pytest.raises(UserError, match="5 updates, its control 4"):
        _fill(both, ARTIFACT, None, str(tmp_path), True)
