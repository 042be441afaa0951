"""`crnn prune`, and what is done with the smaller network: training on, more classes, exports, PyTorch."""

from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_HIDDEN, Run, TinyModel, assert_refused, write_folder
from zoo_reference import write_zoo, zoo_v2

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.cli import main as crnn
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.tasks.ctc.network_spec import create_spec
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork
from crnn_mindspore.text.charset import Charset

pytestmark = pytest.mark.slow

ANY = "--prune_least=1", "--prune_multiple=1"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
TASK = """
output: positions
positions:
  text: [{name: digit, classes: "01234"}, {name: letter, classes: "xy"}]
model_version: resnet18
channel_scale: 0.125
image_width: 32
image_height: 32
batch_size: 4
optimizer: adam
lr_schedule: constant
device_target: CPU
train_dataset: folder
"""


@pytest.fixture
def prune(run_program: Run) -> Run:
    return lambda *options: run_program(crnn.main, "prune", *options)


def test_a_pruned_crnn_is_trained_with_more_characters_and_resumed(
    prune: Run, run_program: Run, train_tiny: Run, tiny_models: dict[str, TinyModel], tmp_path: Path
) -> None:
    model, small, masked = tiny_models["V2"], tmp_path / "small.ckpt", tmp_path / "masked.ckpt"
    outcome = prune(
        f"--ckpt_file={model.checkpoint}",
        "--prune_share=0.4",
        f"--output={small}",
        f"--masked={masked}",
        *ANY,
    )
    assert outcome.status == 0, outcome
    assert f"pruned {model.checkpoint} to {small}; scores within " in outcome.out
    assert "56 of 140 channels cut (40.0%)" in outcome.out
    cut = read_checkpoint_file(str(small))
    counts = cut.artifact.network.channels
    assert sum(counts) == 140 - 56
    assert cut.weights["rnn.0.rnn.weight_ih_l0_reverse"].shape == (4 * TINY_HIDDEN, counts[-1])
    assert (cut.artifact.training["pruned_from"], cut.artifact.training["prune_share"]) == ("tiny.ckpt", 0.4)
    whole = read_checkpoint_file(str(masked))
    assert whole.artifact.network == read_checkpoint_file(str(model.checkpoint)).artifact.network
    assert small.stat().st_size < model.checkpoint.stat().st_size

    words = write_folder(tmp_path / "words", ["cat", "dog7", "a+b", "moon", "x+", "sky"])
    data = f"--train_dataset_path={words}", "--train_dataset=folder", f"--label_dict={LETTERS}+"
    start = f"--pretrained={small}", "--max_steps=1", "--learning_rate=1e-30", "--freeze_features=True"
    outcome = train_tiny(*data, *start)
    assert outcome.status == 0, outcome
    shown = ",".join(map(str, counts))
    assert f"taken from {small}: channels {shown}" in outcome.out
    assert "characters new: 1: +" in outcome.out
    assert f"network: V2, hidden size {TINY_HIDDEN}, channels {shown}: " in outcome.out
    grown = read_checkpoint_file(str(next((tmp_path / "ckpt").glob("crnn-*.ckpt"))))
    assert grown.artifact.network.channels == counts
    places = [LETTERS.index(c) for c in LETTERS] + [len(LETTERS) + 1]  # the blank behind the new one
    rows = grown.weights["rnn.1.embedding.weight"][places]
    assert np.array_equal(rows, cut.weights["rnn.1.embedding.weight"])
    assert np.array_equal(grown.weights["vgg.conv3.conv.weight"], cut.weights["vgg.conv3.conv.weight"])

    outcome = train_tiny(*data, *start[:1], "--max_steps=3", "--resume_ckpt=auto", "--freeze_features=True")
    assert outcome.status == 0, outcome
    assert "resumed from " in outcome.out
    outcome = train_tiny(*data, "--max_steps=4", "--resume_ckpt=auto", "--freeze_features=True")
    assert_refused(outcome, f"channels '{shown}', but channels '' was given")


def test_a_pruned_network_of_positions_is_trained_with_more_classes_and_exported(
    prune: Run, run_program: Run, tmp_path: Path
) -> None:
    from crnn_mindspore.engines.mindspore.network_backend import create_network
    from crnn_mindspore.engines.mindspore.parameters import network_weights, write_checkpoint
    from crnn_mindspore.engines.mindspore.runtime import initialize

    initialize("CPU")
    layout = {"text": [{"name": "digit", "classes": "0123"}, {"name": "letter", "classes": "xy"}]}
    network = PositionsNetwork("resnet18", 1 / 8)
    artifact = Artifact(PositionsCodec(layout_of(layout)), Preprocessing(32, 32), network, task="positions")
    weights = network_weights(create_network(artifact))
    rng = np.random.default_rng(0)
    for name in weights:
        if name.endswith("gamma"):
            weights[name] = rng.uniform(0.1, 1, weights[name].shape).astype(np.float32)
    whole, small, again = (tmp_path / f"{name}.ckpt" for name in ("whole", "small", "again"))
    write_checkpoint(str(whole), weights, artifact)
    assert prune(f"--ckpt_file={whole}", "--prune_share=0.5", f"--output={small}", *ANY).status == 0
    counts = read_checkpoint_file(str(small)).artifact.network.channels
    assert len(counts) == 12 and counts[0] < 8

    task, data = tmp_path / "task.yaml", write_folder(tmp_path / "data", ["0x", "1y", "2x", "3y", "4x"])
    task.write_text(TASK)
    common = (
        f"--config_path={task}",
        f"--train_dataset_path={data}",
        f"--save_checkpoint_path={tmp_path / 'ckpt'}",
    )
    start = f"--pretrained={small}", "--max_steps=2", "--gamma_l1=0.01", f"--output_dir={tmp_path / 'out'}"
    outcome = run_program(crnn.main, "train", *common, *start)
    assert outcome.status == 0, outcome
    assert "position digit: 4 classes kept, new 1: 4, dropped 0" in outcome.out
    tuned = next((tmp_path / "ckpt").glob("crnn-*.ckpt"))
    assert read_checkpoint_file(str(tuned)).artifact.network.channels == counts

    # It can be cut again, and goes to PyTorch and back.
    assert prune(f"--ckpt_file={tuned}", "--prune_share=0.2", f"--output={again}", *ANY).status == 0
    assert sum(read_checkpoint_file(str(again)).artifact.network.channels) < sum(counts)
    torch, back = tmp_path / "small.safetensors", tmp_path / "back.ckpt"
    convert = "convert", "weights"
    assert run_program(crnn.main, *convert, f"--ckpt_file={again}", f"--to_torch={torch}").status == 0
    outcome = run_program(crnn.main, *convert, f"--from_torch={torch}", f"--output={back}")
    assert f"to {back}: resnet18, channels " in outcome.out, outcome
    before, after = read_checkpoint_file(str(again)), read_checkpoint_file(str(back))
    assert after.artifact == before.artifact
    assert all(np.array_equal(after.weights[name], array) for name, array in before.weights.items())

    # Every precision reads as the checkpoint does, within its limits of a score.
    for precision in ("fp16", "int8"):
        options = f"--precision={precision}", "--calibration_dataset=folder", f"--calibration_path={data}"
        name = f"--file_name={tmp_path / precision}"
        outcome = run_program(
            crnn.main, "export", f"--ckpt_file={again}", name, "--file_format=ONNX", *options
        )
        assert outcome.status == 0, outcome
        files = again, tmp_path / f"{precision}.onnx"
        parity = "--dataset=folder", f"--dataset_path={data}", "--tolerance=0.2"
        outcome = run_program(crnn.main, "parity", *files, *parity)
        assert "largest logit difference" in outcome.out, outcome
    assert (tmp_path / "fp16.onnx").stat().st_size < again.stat().st_size


def test_what_cannot_be_pruned_is_refused_in_one_line(
    prune: Run, tiny_models: dict[str, TinyModel], tmp_path: Path
) -> None:
    from crnn_mindspore.engines.mindspore.parameters import write_checkpoint

    model, small = tiny_models["V2"].checkpoint, f"--output={tmp_path / 'small.ckpt'}"
    source = f"--ckpt_file={model}"
    assert_refused(prune(small), "option --ckpt_file is required")
    assert_refused(prune(source), "option --output is required")
    assert_refused(prune(source, small, "--prune_share=1"), "prune_share is 1, must be below 1")
    assert_refused(prune(source, small, "--prune_share=0"), "prune_share is 0, must be above 0")
    assert_refused(prune(source, small, "--prune_least=0"), "prune_least is 0, must be at least 1")
    # Each of its layers has 4 to 32 channels.
    assert_refused(
        prune(source, small, "--prune_least=32"), "cuts nothing of its 140 channels with prune_least 32"
    )
    assert_refused(prune(source, f"--output={model}"), "is the checkpoint to prune")
    assert_refused(prune(source, f"--output={tmp_path / 'a.onnx'}"), "must end in .ckpt")
    assert_refused(prune(source, small, f"--masked={tmp_path / 'small.ckpt'}"), "output and masked are both")
    assert_refused(prune(f"--ckpt_file={tiny_models['V2'].onnx}", small), "tiny.onnx: is no checkpoint")
    assert_refused(prune(f"--ckpt_file={tmp_path / 'none.ckpt'}", small), "no such checkpoint")
    zoo = tmp_path / "zoo.ckpt"
    write_zoo(zoo, zoo_v2())
    assert_refused(
        prune(f"--ckpt_file={zoo}", small), "does not describe itself; `crnn convert weights` first"
    )
    paper = tmp_path / "paper.ckpt"
    write_checkpoint(
        str(paper),
        {"cnn.conv0.weight": np.ones((4, 1, 3, 3), np.float32)},
        Artifact(Charset(), Preprocessing(), create_spec("paper", 8, 1 / 16)),
    )
    assert_refused(
        prune(f"--ckpt_file={paper}", small), f"{paper}: model_version paper: some", "have no batch norm"
    )
    bare = tmp_path / "bare.ckpt"
    weights = {name: a for name, a in tiny_models["V2"].weights.items() if ".bn." not in name}
    write_checkpoint(str(bare), weights, read_checkpoint_file(str(model)).artifact)
    assert_refused(prune(f"--ckpt_file={bare}", small), f"{bare}: holds no batch norm vgg.conv1.bn.gamma")
    assert not (tmp_path / "small.ckpt").exists()
