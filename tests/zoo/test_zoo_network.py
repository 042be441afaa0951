"""`src.crnn`: the logits of the network's definition, and checkpoints read by MindSpore's own functions."""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_SCALE, VERSIONS, WORDS, Run, TinyModel, write_synth
from reference import crnn_logits
from zoo_options import options
from zoo_reference import write_zoo, zoo_v1, zoo_v1_logits, zoo_v2

from crnn_mindspore.artifacts.model_path import resolve_model
from crnn_mindspore.cli import convert_weights
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.errors import UserError
from src.crnn import CRNNV1, CRNNV2, BidirectionalLSTM, crnn
from src.model_utils.config import Config


def tiny(version: str, *arguments: str) -> Config:
    sizes = f"--hidden_size={TINY_HIDDEN}", f"--channel_scale={TINY_SCALE}"
    return options(f"--model_version={version}", *sizes, *arguments)


def batch(width: int = 100, count: int = 3) -> np.ndarray:
    return np.random.default_rng(width).uniform(-1, 1, (count, 3, 32, width)).astype(np.float32)


def load(network: ms.nn.Cell, checkpoint: Path | str) -> list[str]:
    """Loads as the model zoo's scripts do; returns the parameters that were not in the file."""
    network.set_train(False)
    return ms.load_param_into_net(network, ms.load_checkpoint(str(checkpoint)))[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("width", [100, 60])
def test_the_logits_are_those_of_the_definition_for_any_batch_size(
    tiny_models: dict[str, TinyModel], version: str, width: int
) -> None:
    model = tiny_models[version]
    network = crnn(tiny(version, "--batch_size=1"), full_precision=True)
    assert load(network, model.checkpoint) == []
    expected = crnn_logits(batch(width), model.weights, version)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(network(ms.Tensor(batch(width))).asnumpy(), expected, atol=1e-4)


@pytest.mark.parametrize("version", VERSIONS)
def test_half_precision_is_near_and_not_equal(tiny_models: dict[str, TinyModel], version: str) -> None:
    network = crnn(tiny(version))
    assert load(network, tiny_models[version].checkpoint) == []
    found = network(ms.Tensor(batch()))
    assert found.dtype == ms.float32
    difference = np.abs(found.asnumpy() - crnn_logits(batch(), tiny_models[version].weights, version)).max()
    assert 1e-5 < difference < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_a_checkpoint_of_our_training_is_read_whatever_else_it_holds(
    train_tiny: Run, tmp_path: Path, version: str
) -> None:
    data = write_synth(tmp_path / "words", WORDS)
    outcome = train_tiny(
        "--train_dataset=synth",
        f"--train_dataset_path={data}",
        f"--model_version={version}",
        "--max_steps=2",
        "--ema_decay=0.5",
    )
    assert outcome.status == 0, outcome
    checkpoint = tmp_path / "ckpt" / "crnn-1_2.ckpt"
    held = ms.load_checkpoint(str(checkpoint))
    assert {"optimizer.accum.vgg.conv1.conv.weight", "raw.vgg.conv1.conv.weight"} <= held.keys()
    network = crnn(tiny(version), full_precision=True)
    assert load(network, checkpoint) == []
    for parameter in network.get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), held[parameter.name].asnumpy())
    expected = open_backend(str(checkpoint), "CPU").forward(batch())
    np.testing.assert_array_equal(network(ms.Tensor(batch())).asnumpy(), expected)


def test_v2_checkpoints_of_the_model_zoo_are_read_as_they_are(tmp_path: Path) -> None:
    network = crnn(tiny("V2"), full_precision=True)
    assert load(network, write_zoo(tmp_path / "zoo.ckpt", zoo_v2())) == []
    expected = crnn_logits(batch(), zoo_v2(), "V2")
    np.testing.assert_allclose(network(ms.Tensor(batch())).asnumpy(), expected, atol=1e-4)


def test_v1_checkpoints_of_the_model_zoo_are_read_when_they_are_converted(
    run_program: Run, tmp_path: Path
) -> None:
    source = write_zoo(tmp_path / "zoo.ckpt", zoo_v1())
    assert load(crnn(tiny("V1")), source) != []
    converted = tmp_path / "own.ckpt"
    outcome = run_program(convert_weights.main, f"--ckpt_file={source}", f"--output={converted}")
    assert outcome.status == 0, outcome
    network = crnn(tiny("V1"), full_precision=True)
    assert load(network, converted) == []
    expected = zoo_v1_logits(batch(), zoo_v1())
    np.testing.assert_allclose(network(ms.Tensor(batch())).asnumpy(), expected, atol=1e-4)


def test_the_shipped_weights_are_read_at_half_the_width() -> None:
    network = crnn(options("--model_version=V2", "--channel_scale=0.5"), full_precision=True)
    checkpoint = resolve_model("pretrained")
    assert load(network, checkpoint) == []
    expected = open_backend(checkpoint, "CPU").forward(batch())
    np.testing.assert_array_equal(network(ms.Tensor(batch())).asnumpy(), expected)


def test_v1_drops_a_tenth_in_training_where_it_is_asked_to() -> None:
    network = CRNNV1(tiny("V1"))
    images = ms.Tensor(batch())

    def differ(network: ms.nn.Cell) -> bool:
        return bool(np.abs(network(images).asnumpy() - network(images).asnumpy()).max() > 1e-3)

    network.set_train(False)
    assert not differ(network)
    kept = network.dropout.set_train(True)(ms.ops.ones((24, 64, 512), ms.float32)).asnumpy() > 0
    assert kept.mean() == pytest.approx(0.9, abs=0.003)  # of 786,432; five times the standard deviation
    # Batch norm computes with the batch's own statistics in both.
    assert differ(network.set_train(True))
    assert not differ(CRNNV1(tiny("V1", "--use_dropout=False")).set_train(True))


def test_parts_and_classes_have_the_model_zoos_names() -> None:
    config = tiny("V2")
    assert type(crnn(config)) is CRNNV2
    config.model_version = "V1"
    assert type(crnn(config)) is CRNNV1
    block = BidirectionalLSTM(6, 5, 4, 64)
    assert block(ms.Tensor(np.zeros((3, 2, 6), np.float32))).shape == (3, 2, 4)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model_version", "V3", "model_version is 'V3', must be one of V1, V2"),
        ("image_height", 48, "image_height is 48"),
    ],
)
def test_what_cannot_be_built_is_named(name: str, value: object, message: str) -> None:
    config = tiny("V2")
    setattr(config, name, value)
    with pytest.raises(UserError, match=message):
        crnn(config)
