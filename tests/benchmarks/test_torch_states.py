"""A training in PyTorch that is saved, killed and goes on; where PyTorch is installed."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.training.updates.lr_schedule import create_schedule

torch = pytest.importorskip("torch", reason="PyTorch is for benchmarks only")

ROOT = Path(__file__).resolve().parents[2]
NARROW = NetworkSpec("V2", 8, 1 / 16)
NO_DROPOUT = SimpleNamespace(use_dropout=False)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw", "radam", "rmsprop", "adadelta"])
def test_a_saved_training_goes_on_with_the_same_updates(tmp_path: Path, optimizer: str) -> None:
    from benchmarks.twin import states
    from benchmarks.twin.task import create_task
    from benchmarks.twin.update import Recipe, Updates

    artifact = Artifact(Charset(), Preprocessing(), NARROW)
    task = create_task(artifact, NO_DROPOUT)
    rng = torch.Generator().manual_seed(1)
    images = torch.rand(5, 4, 3, 32, 100, generator=rng)
    targets, lengths = torch.randint(0, 36, (4, 24), generator=rng), torch.full((4,), 6)

    def created(seed: int) -> Any:
        torch.manual_seed(seed)
        network = task.create_network().to(memory_format=torch.channels_last)
        return Updates(network, task.loss, Recipe(optimizer, clip_norm=5.0, ema_decay=0.9))

    first, second = created(0), created(1)
    for batch in images[:3]:
        first.step(batch, targets, lengths, 1e-3)
    facts = states.Facts(first.count, rendered=70, trained=12, seconds=3.5)
    files = states.save(tmp_path, first, artifact, facts, most_bytes=2**26)
    assert {file.name for file in files} == {"weights.safetensors", "state.safetensors"}
    assert states.restore(tmp_path, second, artifact) == facts
    for batch in images[3:]:
        losses = [float(updates.step(batch, targets, lengths, 1e-3)[0]) for updates in (first, second)]
        assert losses[0] == losses[1]
    for name, average in first.averages.items():
        assert torch.equal(second.averages[name], average), name


def test_files_of_a_saving_stay_within_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.twin import states
    from benchmarks.twin.task import create_task
    from benchmarks.twin.update import Recipe, Updates
    from crnn_mindspore.artifacts.torch.torch_weights import read_torch_weights

    monkeypatch.setattr(states, "_LARGEST_FILE", 60_000)
    artifact = Artifact(Charset(), Preprocessing(), NARROW)
    task = create_task(artifact, NO_DROPOUT)
    updates = Updates(task.create_network(), task.loss, Recipe(ema_decay=0.9))
    updates.step(torch.rand(2, 3, 32, 100), torch.zeros(2, 24, dtype=torch.int32), torch.tensor([3, 4]), 1e-3)
    numbers = sum(t.numel() for t in updates.averages.values())
    for bytes_each, kept in ((18, True), (14, True), (10, True), (8, True), (4, False)):
        files = states.save(tmp_path, updates, artifact, states.Facts(1), bytes_each * numbers + 210_000)
        assert set(files) == set(tmp_path.iterdir())
        assert max(file.stat().st_size for file in files) < 75_000
        again = Updates(task.create_network(), task.loss, Recipe(ema_decay=0.9))
        states.restore(tmp_path, again, artifact)
        assert bool(again.optimizer.state) == kept
        assert again.count == (1 if kept else 0)
        assert again.age == 1
        for name, value in updates.averages.items():
            torch.testing.assert_close(again.averages[name], value, atol=1e-3, rtol=1e-3)
            assert bytes_each < 18 or torch.equal(again.averages[name], value)
        found = read_torch_weights(str(files[0]))
        assert found.artifact is not None and found.artifact.precision == "fp16"


def test_a_run_without_room_for_its_optimiser_keeps_step_and_average(tmp_path: Path) -> None:
    from benchmarks.twin import states
    from benchmarks.twin.task import create_task
    from benchmarks.twin.update import Recipe, Updates

    artifact = Artifact(Charset(), Preprocessing(), NARROW)
    task = create_task(artifact, NO_DROPOUT)
    updates = Updates(task.create_network(), task.loss, Recipe(ema_decay=0.999))
    batch = (torch.rand(2, 3, 32, 100), torch.zeros(2, 24, dtype=torch.int32), torch.tensor([3, 4]))
    for _ in range(40):
        updates.step(*batch, 1e-4)
    states.save(tmp_path, updates, artifact, states.Facts(40), most_bytes=0)
    again = Updates(task.create_network(), task.loss, Recipe(ema_decay=0.999))
    assert states.restore(tmp_path, again, artifact).updates == 40
    assert (again.count, again.age) == (0, 40)
    before = {name: value.clone() for name, value in again.averages.items()}
    again.step(*batch, 1e-4)
    share = 1 - 41 / 50  # of the network, in the average after 41 updates
    for name, tensor in states.tensors_of(again.network).items():
        expected = before[name] + share * (tensor - before[name])
        torch.testing.assert_close(again.averages[name], expected.detach(), atol=1e-6, rtol=1e-5)


@pytest.mark.slow
def test_a_killed_run_goes_on_with_step_rate_and_averages(tmp_path: Path) -> None:
    """A run by steps, killed while it trains; the rates printed are those of the schedule."""
    out, steps, rate, per_batch = tmp_path / "run", 60, 0.002, 16
    command = [
        *(sys.executable, "benchmarks/torch_training.py", "--train_dataset=render", "--device=cpu"),
        *("--model_version=paper", "--rnn_type=gru", "--channel_scale=0.0625", "--hidden_size=8"),
        *("--optimizer=adam", "--ema_decay=0.99", f"--learning_rate={rate}", "--lr_schedule=cosine_step"),
        *(f"--max_steps={steps}", f"--batch_size={per_batch}", "--warmup_steps=10", "--precision=bfloat16"),
        *("--prefill=64", "--pool_images=640", "--processes=1", "--eval_images=0", "--save_seconds=0"),
        *("--report_seconds=0", f"--output={out}"),
    ]

    def rates(text: str) -> dict[int, float]:
        return {int(step): float(value) for step, value in re.findall(r"step (\d+) .* lr (\S+) ", text)}

    schedule = create_schedule("cosine_step", rate, steps, 1, 10, 0, 0.1)
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    lines: list[str] = []
    assert run.stdout is not None
    for line in run.stdout:
        lines.append(line)
        if sum(line.startswith("saved") for line in lines) == 25:
            run.kill()
            break
    run.stdout.close()
    run.wait()
    whole = "".join(lines)
    kept = read_pieces_of(out)
    again = subprocess.run(
        [*command, f"--resume_ckpt={out}"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert again.returncode == 0, again.stderr
    assert f"resumed from {out}: Facts(updates={kept}," in again.stdout
    assert "optimiser kept" in again.stdout
    assert set(re.findall(r"unseen (\d+)", whole + again.stdout)) == {"0"}  # rendering waited
    assert min(rates(whole)) == 1
    assert (min(rates(again.stdout)), max(rates(again.stdout))) == (kept + 1, steps)
    for step, value in (rates(whole) | rates(again.stdout)).items():
        assert value == pytest.approx(schedule(min(step, steps)), rel=0.01, abs=1e-9), step
    assert read_pieces_of(out) == steps


def read_pieces_of(folder: Path) -> int:
    """The updates that the files of a run hold; they are whole."""
    from benchmarks.twin.states import STATE, WEIGHTS, read_pieces

    arrays, texts = read_pieces(folder, STATE)
    averages, same = read_pieces(folder, WEIGHTS)
    assert texts == same
    for name, array in averages.items():
        np.testing.assert_allclose(arrays[f"averages.{name}"], array, atol=1e-3, rtol=1e-3)
    return int(json.loads(texts["torch_training"])["updates"])
