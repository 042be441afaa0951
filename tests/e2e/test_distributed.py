"""Two processes train as one would and stay equal; one is killed, and the training goes on from its save."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_NETWORK, TINY_SCALE, WORDS, write_folder
from reference import global_norm, random_weights
from test_resume import assert_same_training
from update_rules import Sgd

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.mindspore.parameters import load_weights, network_weights
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.networks.crnn import CRNN, scaled_channels
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.tasks.ctc.learning.ctc_loss import CTCLoss
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint, save_checkpoint
from crnn_mindspore.training.training_data import create_train_loader
from crnn_mindspore.training.updates.step import NetworkWithLoss

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distributed")]

ROOT = Path(__file__).resolve().parents[2]
IMAGES, BATCH, STEPS, SAVE_EVERY = 27, 4, 20, 7
STEPS_PER_EPOCH = 4  # 27 images at 8 a step: the last step of an epoch takes 5 of them a second time
# At ten times this rate, what differs by the last bit at the start differs by a thousandth after 20 steps.
RATE, MOMENTUM, CLIP_NORM = 0.001, 0.95, 10.0
TIME_STEPS = 24


def options(folder: Path) -> list[str]:
    return [
        *TINY_NETWORK,
        f"--pretrained={folder / 'start.ckpt'}",
        f"--batch_size={BATCH}",
        f"--max_steps={STEPS}",
        f"--save_checkpoint_steps={SAVE_EVERY}",
        f"--learning_rate={RATE / 2}",
        "--scale_learning_rate=True",  # times two processes
        "--lr_schedule=constant",
        "--augment=light",
        "--per_print_time=1",
    ]


def start_training(folder: Path, name: str, *further: str) -> subprocess.Popen[str]:
    """The script, in a folder of its own; further arguments of the script follow."""
    place = folder / name
    place.mkdir(exist_ok=True)
    variables = {"PYTHON": sys.executable, "EXTRA_OPTIONS": " ".join(options(folder))}
    script = ROOT / "scripts" / "run_distribute_train.sh"
    return subprocess.Popen(
        ["bash", str(script), "folder", str(folder / "words"), "CPU", *further],
        cwd=place,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, and a checkpoint to start from."""
    path = tmp_path_factory.mktemp("distributed")
    write_folder(path / "words", (WORDS * 4)[:IMAGES])
    artifact = Artifact(Charset(), Preprocessing(), NetworkSpec("V2", TINY_HIDDEN, TINY_SCALE))
    weights = random_weights(37, TINY_HIDDEN, scaled_channels(TINY_SCALE), "V2", seed=3)
    save_checkpoint(str(path / "start.ckpt"), weights, artifact)
    return path


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    """The folder that an undisturbed training of two processes has written."""
    with start_training(folder, "whole") as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert f"step: [{STEPS_PER_EPOCH}/{STEPS_PER_EPOCH}]" in output  # rank 0's log is shown
    return folder / "whole" / "train_parallel"


def processes_in(folder: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Process id and environment of whatever runs in a folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                entries = (process / "environ").read_text(errors="replace").split("\0")
                yield int(process.name), dict(e.split("=", 1) for e in entries if "=" in e)
        except OSError:  # not ours, or ended
            continue


def one_process_reference(folder: Path) -> tuple[dict[str, np.ndarray], list[float], list[set[int]]]:
    """Weights and losses of a program that computes both halves one after the other; images of each epoch."""
    import mindspore as ms
    from mindspore import ops

    initialize("CPU")
    config = load_options(
        TrainOptions,
        ["--train_dataset=folder", f"--train_dataset_path={folder / 'words'}", *options(folder)],
    )
    network = CRNN(37, TINY_HIDDEN, "V2", TINY_SCALE).set_train(True)
    load_weights(network, read_checkpoint(str(folder / "start.ckpt")).weights, "test")
    parameters = ms.ParameterTuple(network.trainable_params())
    run = ops.value_and_grad(NetworkWithLoss(network, CTCLoss(36)), None, parameters)
    weights = {name: array.astype(np.float64) for name, array in network_weights(network).items()}
    names = [parameter.name for parameter in parameters]
    statistics = sorted(weights.keys() - set(names))
    assert len(statistics) == 2 * 7
    rule, losses, images = Sgd(MOMENTUM, nesterov=True), [], []
    loaders = [create_train_loader(config)[0] for _ in range(2)]
    for rank, loader in enumerate(loaders):
        loader.rank, loader.world_size = rank, 2
    for epoch in range(STEPS // STEPS_PER_EPOCH):
        images.append(set())
        for batches in zip(*(loader.batches(epoch) for loader in loaders), strict=True):
            gradients, after, both = [], [], []
            for batch in batches:
                images[-1] |= set(batch.indices.tolist())
                # Not load_weights: the compiled function does not see what set_data changes.
                for parameter in network.get_parameters():
                    ops.assign(parameter, ms.Tensor(weights[parameter.name].astype(np.float32)))
                targets = np.zeros((BATCH, TIME_STEPS), np.int32)
                targets[:, : batch.targets.shape[1]] = batch.targets
                arrays = batch.images, targets, batch.target_lengths
                loss, found = run(*map(ms.Tensor, arrays))
                both.append(float(loss.asnumpy()))
                gradients.append({n: g.asnumpy() for n, g in zip(names, found, strict=True)})
                after.append(network_weights(network))
            mean = {n: np.mean([g[n].astype(np.float64) for g in gradients], axis=0) for n in names}
            scale = min(1.0, CLIP_NORM / global_norm(list(mean.values())))
            for name in names:
                weights[name] = rule.update(name, weights[name], scale * mean[name], RATE)
            for name in statistics:
                weights[name] = np.mean([a[name].astype(np.float64) for a in after], axis=0)
            losses.append(sum(both) / 2)
    return weights, losses, images


def test_two_processes_end_as_one_that_averages_the_gradients_of_both_halves(
    folder: Path, trained: Path
) -> None:
    weights, losses, images = one_process_reference(folder)
    assert images == [set(range(IMAGES))] * (STEPS // STEPS_PER_EPOCH)
    checkpoint = read_checkpoint(str(trained / "ckpt" / "crnn-5_4.ckpt"))
    assert (checkpoint.state.step, checkpoint.state.images_seen) == (STEPS, STEPS * 2 * BATCH)
    assert checkpoint.state.options["world_size"] == 2
    start = read_checkpoint(str(folder / "start.ckpt")).weights
    for name, array in weights.items():
        np.testing.assert_allclose(checkpoint.weights[name], array, atol=1e-5, rtol=1e-5, err_msg=name)
        assert np.abs(start[name] - array).max() > 1e-4, name
    with (trained / "train_log.csv").open(newline="") as file:
        logged = [float(row["loss"]) for row in csv.DictReader(file)]
    assert logged == pytest.approx(losses, rel=1e-4)


def test_both_ranks_end_equal_to_the_last_bit(trained: Path) -> None:
    logs = [(trained / f"worker_{rank}.log").read_text() for rank in range(2)]
    found = [re.search(r"rank (\d) ends with weights of SHA-256 (\w{64})", text).groups() for text in logs]
    saved = read_checkpoint(str(trained / "ckpt" / "crnn-5_4.ckpt")).artifact.weights_sha256
    assert found == [("0", saved), ("1", saved)]


@pytest.mark.long
def test_when_a_rank_is_killed_all_end_and_the_training_goes_on_from_its_save(
    folder: Path, trained: Path
) -> None:
    place = folder / "killed"
    with start_training(folder, "killed") as process:
        saved = place / "train_parallel" / "ckpt" / "crnn-2_3.ckpt"
        while not saved.exists():
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.02)
        (victim,) = [
            pid
            for pid, environment in processes_in(place)
            if (environment.get("MS_ROLE"), environment.get("RANK_ID")) == ("MS_WORKER", "1")
        ]
        os.kill(victim, signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert not list(processes_in(place))
    assert not (place / "train_parallel" / "ckpt" / "crnn-5_4.ckpt").exists()

    with start_training(folder, "killed", "auto") as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert re.search(r"resumed from \S+crnn-(2_3|4_2)\.ckpt at step (7|14)\n", output), output
    assert_same_training(
        place / "train_parallel" / "ckpt" / "crnn-5_4.ckpt", trained / "ckpt" / "crnn-5_4.ckpt"
    )
