"""The network's logits against NumPy, in every format, batch size and width."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_SCALE, VERSIONS, Outcome, TinyModel
from reference import crnn_logits, random_weights

from crnn_mindspore.engines.backend import Backend, open_backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.crnn import CRNN, scaled_channels

FORMATS = ("ckpt", "mindir", "onnx")


@pytest.fixture(scope="module")
def backends(tiny_models: dict[str, TinyModel]) -> dict[tuple[str, str], Backend]:
    return {(v, form): open_backend(str(tiny_models[v].file(form))) for v in VERSIONS for form in FORMATS}


def images(count: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3, 32, width)).astype(np.float32)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("count", "width"), [(1, 60), (3, 100), (2, 333), (1, 8)])
def test_logits_equal_a_numpy_computation(backends, tiny_models, version, form, count, width) -> None:
    batch = images(count, width)
    expected = crnn_logits(batch, tiny_models[version].weights, version)
    found = backends[version, form].forward(batch)
    assert found.dtype == np.float32
    assert found.shape == (width // 4 - 1, count, 37)
    assert np.ptp(expected) > 1  # a comparison of zeros would show nothing
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("width", [60, 100, 333])
@pytest.mark.parametrize("count", [1, 3, 64])
def test_checkpoint_mindir_and_onnx_agree(backends, version, width, count) -> None:
    batch = images(count, width, seed=count)
    checkpoint, mindir, onnx = (backends[version, form].forward(batch) for form in FORMATS)
    np.testing.assert_allclose(mindir, checkpoint, atol=1e-4)
    np.testing.assert_allclose(onnx, checkpoint, atol=1e-4)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMATS)
def test_an_image_gives_the_same_logits_alone_and_in_any_batch(backends, version, form) -> None:
    batch = images(64, 100, seed=5)
    forward = backends[version, form].forward
    alone = forward(batch[:1])[:, 0]
    for count in (7, 64):
        for place in (0, count - 1):
            moved = batch[:count].copy()
            moved[[0, place]] = moved[[place, 0]]
            np.testing.assert_allclose(forward(moved)[:, place], alone, atol=1e-5)


@pytest.mark.slow
def test_a_model_zoo_checkpoint_loads_with_nothing_missing_and_gives_the_numpy_logits(
    tmp_path: Path, words_folder: Path, run_program: Callable[..., Outcome]
) -> None:
    import mindspore as ms

    import eval as eval_program

    weights = random_weights(37, 256, scaled_channels(1.0), "V2", seed=3)
    assert sorted(weights) == sorted(zoo_parameter_names())
    trained = [n for n in weights if "moving" not in n]
    extra = {f"moments.{n}": weights[n] for n in trained}
    extra |= {f"vgg.bn1.{n}": np.ones(64) for n in ("gamma", "beta", "moving_mean", "moving_variance")}
    extra |= {"learning_rate": np.ones(14110), "momentum": np.array(0.95), "epoch_num": np.array(10)}
    extra |= {
        "sequence_length": np.full(64, 24),
        "labels_indices": np.ones((64 * 23, 2)),
        "step_num": np.ones(1),
    }
    extra |= {"global_step": np.array([141100])}
    entries = [{"name": n, "data": ms.Tensor(np.float32(a))} for n, a in (weights | extra).items()]
    path = tmp_path / "crnn_zoo.ckpt"
    ms.save_checkpoint(entries, str(path))
    options = ["--eval_dataset=folder", f"--eval_dataset_path={words_folder}", "--device_target=CPU"]
    outcome = run_program(eval_program.main, *options, f"--checkpoint_path={path}")
    assert (outcome.status, "warning" in outcome.out) == (0, False), outcome
    assert "total num: 8" in outcome.out
    backend = open_backend(str(path))
    assert backend.artifact.network.hidden_size == 256
    assert backend.artifact.network.channel_scale == 1.0
    batch = images(1, 40)
    np.testing.assert_allclose(backend.forward(batch), crnn_logits(batch, weights, "V2"), atol=1e-4)


def zoo_parameter_names() -> list[str]:
    names = []
    for i in range(1, 8):
        names.append(f"vgg.conv{i}.conv.weight")
        names += [f"vgg.conv{i}.bn.{n}" for n in ("gamma", "beta", "moving_mean", "moving_variance")]
    for block in (0, 1):
        for part in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            names += [f"rnn.{block}.rnn.{part}", f"rnn.{block}.rnn.{part}_reverse"]
        names += [f"rnn.{block}.embedding.weight", f"rnn.{block}.embedding.bias"]
    return names


@pytest.mark.parametrize("version", VERSIONS)
def test_parameters_have_the_names_and_shapes_of_the_checkpoints(version: str) -> None:
    network = CRNN(37, TINY_HIDDEN, version, TINY_SCALE)
    expected = random_weights(37, TINY_HIDDEN, scaled_channels(TINY_SCALE), version)
    assert {p.name: p.shape for p in network.get_parameters()} == {n: a.shape for n, a in expected.items()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": "V3"}, "'V3', must be one of V1, V2"),
        ({"image_height": 48}, "image_height is 48; the network needs 32"),
        ({"channel_scale": 0.01}, "channel_scale 0.01"),
        ({"channel_scale": 0.99}, "channel_scale 0.99"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused_with_the_value(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        CRNN(37, **options)


def test_dropout_of_v1_zeroes_what_the_mask_says_and_scales_the_rest() -> None:
    import mindspore as ms

    network = CRNN(5, TINY_HIDDEN, "V1", TINY_SCALE).set_train(False)
    batch = ms.Tensor(images(2, 40))
    (keep,) = network.dropout_masks(2, 40, np.random.default_rng(1))
    assert (keep.dtype, keep.shape) == (np.bool_, (9, 2, 2 * TINY_HIDDEN))
    features = ms.ops.transpose(ms.ops.squeeze(network.vgg(batch), 2), (2, 0, 1))
    hidden, _ = network.rnn.lstm1(features)
    hidden, _ = network.rnn.lstm2(ms.Tensor(hidden.asnumpy() * keep / np.float32(0.9)))
    expected = network.rnn.fc(hidden).asnumpy()
    np.testing.assert_allclose(network(batch, ms.Tensor(keep)).asnumpy(), expected, atol=1e-5)
    assert np.abs(network(batch).asnumpy() - expected).max() > 1e-4


def test_a_tenth_is_dropped_in_v1_alone_and_only_if_wanted() -> None:
    (keep,) = CRNN(5, 64, "V1", TINY_SCALE).dropout_masks(32, 100, np.random.default_rng(1))
    assert keep.mean() == pytest.approx(0.9, abs=0.005)  # 98,304 draws: five standard deviations
    assert CRNN(5, 64, "V2", TINY_SCALE).dropout_masks(32, 100, np.random.default_rng(1)) == ()
    without = CRNN(5, 64, "V1", TINY_SCALE, use_dropout=False)
    assert without.dropout_masks(32, 100, np.random.default_rng(1)) == ()
