"""Cutting channels: which go, and that what is left equals the masked original in every format."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import GREY, Preprocessing
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.exporting.slimming import (
    Limits,
    channels_of,
    choose,
    masked,
    parameters,
    pruned,
    report_lines,
)
from crnn_mindspore.tasks.channels import ChannelGroup, Place
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec, create_spec
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork
from crnn_mindspore.text.charset import Charset

SCALE = 1 / 16


def norm(gamma: list[float]) -> dict[str, np.ndarray]:
    values = np.array(gamma, np.float32)
    return {"gamma": values, "beta": values + 1, "moving_mean": values * 0, "moving_variance": values**2 + 1}


def by_hand(first: list[float], second: list[float]) -> tuple[dict[str, np.ndarray], list[ChannelGroup]]:
    """Two layers; the second is read by a dense layer of two places a channel."""
    weights = {f"a.bn.{part}": array for part, array in norm(first).items()}
    weights |= {f"b.bn.{part}": array for part, array in norm(second).items()}
    n, m = len(first), len(second)
    weights["a.weight"] = np.arange(n * 3, dtype=np.float32).reshape(n, 3)
    weights["b.weight"] = np.arange(m * n, dtype=np.float32).reshape(m, n)
    weights["c.weight"] = np.arange(m * 2, dtype=np.float32).reshape(1, m * 2)
    groups = [
        ChannelGroup("a", ("a.bn",), (Place("a.weight"), Place("b.weight", 1))),
        ChannelGroup("b", ("b.bn",), (Place("b.weight"), Place("c.weight", 1))),
    ]
    return weights, groups


def test_the_smallest_of_all_layers_go_whatever_their_sign() -> None:
    weights, groups = by_hand([0.9, -0.1, 0.5, -2.0], [0.3, 0.2, -0.05])
    cuts = choose(weights, groups, 3 / 7, Limits(), "a.ckpt")  # 0.05, 0.1 and 0.2
    assert [cut.kept.tolist() for cut in cuts] == [[0, 2, 3], [0]]
    assert channels_of(cuts) == (3, 1)
    small = pruned(weights, cuts, "a.ckpt")
    assert small["a.weight"].tolist() == [[0, 1, 2], [6, 7, 8], [9, 10, 11]]
    assert small["b.weight"].tolist() == [[0, 2, 3]]
    assert small["c.weight"].tolist() == [[0, 1]]
    assert small["a.bn.beta"].tolist() == [np.float32(1.9), 1.5, -1]
    assert small["b.bn.moving_variance"].shape == (1,)
    hidden = masked(weights, cuts)
    assert hidden["a.bn.gamma"].tolist() == [np.float32(0.9), 0, 0.5, -2]
    assert hidden["b.bn.beta"].tolist() == [np.float32(1.3), 0, 0]
    assert hidden["a.weight"] is weights["a.weight"]
    assert weights["a.bn.gamma"][1] == np.float32(-0.1), "the original stays"


def test_a_layer_that_would_be_empty_keeps_its_largest_channels_and_the_report_says_so() -> None:
    weights, groups = by_hand([0.9, 0.8, 0.7, 0.6], [0.3, 0.1, 0.2])
    cuts = choose(weights, groups, 0.5, Limits(least=2), "a.ckpt")  # the gammas alone would leave none of b
    assert [cut.kept.tolist() for cut in cuts] == [[0, 1, 2, 3], [0, 2]]
    lines = report_lines(cuts, weights, pruned(weights, cuts, "a.ckpt"))
    assert lines[2].split() == ["b", "3", "2", "0.1000", "0.2000", "(gammas", "alone:", "0)"]
    assert lines[1].split() == ["a", "4", "4", "-", "0.6000"]
    # 12 + 12 + 6 weights and 2 * 7 of batch norm; one channel of b has 4 weights, 2 that read it, and 2.
    assert lines[3] == "1 of 7 channels cut (14.3%); 44 parameters, now 36"
    assert parameters(weights) == 44


def test_limits_of_a_layer() -> None:
    assert Limits().count(10, 3) == 3
    assert Limits(least=5).count(10, 3) == 5
    assert Limits(least=50).count(10, 3) == 10
    assert Limits(layer_share=0.25).count(10, 3) == 8  # at most 2 go
    assert Limits(multiple=4).count(10, 3) == 4
    assert Limits(multiple=4).count(10, 9) == 10  # never more than there are
    assert Limits(least=5, multiple=4).count(24, 3) == 8


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(UserError, match=r"prune_share is .*, must be above 0 and below 1"):
        choose(*by_hand([1, 2], [3, 4]), share, Limits(), "a.ckpt")


def test_a_cut_of_nothing_and_weights_that_do_not_fit_are_refused() -> None:
    weights, groups = by_hand([1, 2], [3, 4])
    with pytest.raises(
        UserError, match=r"a\.ckpt: prune_share 0\.3 cuts nothing of its 4 channels with prune_l"
    ):
        choose(weights, groups, 0.3, Limits(least=8), "a.ckpt")
    without = {name: array for name, array in weights.items() if name != "b.bn.gamma"}
    with pytest.raises(UserError, match=r"a\.ckpt: holds no batch norm b\.bn\.gamma"):
        choose(without, groups, 0.3, Limits(), "a.ckpt")
    cuts = choose(weights, groups, 0.5, Limits(least=1), "a.ckpt")
    with pytest.raises(
        UserError, match=r"a\.ckpt: c\.weight has shape \(1, 3\), which does not fit 2 channels"
    ):
        pruned({**weights, "c.weight": np.ones((1, 3), np.float32)}, cuts, "a.ckpt")
    del weights["c.weight"]
    with pytest.raises(UserError, match=r"a\.ckpt: holds no parameter c\.weight"):
        pruned(weights, cuts, "a.ckpt")


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.floats(0.01, 0.99))
def test_what_is_kept_is_never_smaller_than_what_goes_in_a_layer(
    seed: int, first: int, second: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    weights, groups = by_hand(*(rng.normal(0, 1, n).round(1).tolist() for n in (first, second)))
    try:
        cuts = choose(weights, groups, share, Limits(1, 0.9), "a.ckpt")
    except UserError:
        return
    assert sum(cut.is_cut.sum() for cut in cuts) <= share * (first + second)
    for cut in cuts:
        assert cut.kept.size >= 1
        if cut.is_cut.any():
            assert cut.sizes[cut.is_cut].max() <= cut.sizes[cut.kept].min()


NETWORKS: dict[str, tuple[Any, Preprocessing]] = {
    "V1": (NetworkSpec("V1", 8, SCALE), Preprocessing(width=60)),
    "V2": (NetworkSpec("V2", 8, SCALE), Preprocessing(width=60)),
    "resnet-v1": (PositionsNetwork("resnet18", 2 * SCALE), Preprocessing(24, 94)),
    "resnet-v1-places": (
        PositionsNetwork("resnet18", 2 * SCALE, last_channels=128, map_mean=False),
        Preprocessing(48, 144),
    ),
    "resnet-v2": (PositionsNetwork("resnet18", 2 * SCALE, "v2", 1, False), Preprocessing(17, 30)),
    "resnet-v2-places": (
        PositionsNetwork("resnet18", 2 * SCALE, "v2", map_mean=False),
        Preprocessing(40, 71, GREY),
    ),
    "character": (PositionsNetwork("character_net", 2 * SCALE), Preprocessing(40, 71, GREY)),
}


def described(name: str) -> Artifact:
    network, image = NETWORKS[name]
    if isinstance(network, NetworkSpec):
        return Artifact(Charset(), image, network)
    codec = PositionsCodec(layout_of({"text": ["abcde", "01", "xy"]}))
    return Artifact(codec, image, network, task="positions")


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_equals_its_masked_original_in_every_format(name: str, tmp_path: Path) -> None:
    from crnn_mindspore.engines.mindspore.network_backend import create_network, evaluation_backend
    from crnn_mindspore.engines.mindspore.parameters import load_weights, network_weights
    from crnn_mindspore.engines.mindspore.runtime import initialize
    from crnn_mindspore.exporting.export import export_model
    from crnn_mindspore.exporting.pruning import write_pruned

    initialize("CPU")
    artifact = described(name)
    rng = np.random.default_rng(5)
    weights = network_weights(create_network(artifact))
    for key, array in weights.items():  # batch norm as after a training, gammas of either sign
        if key.endswith(".gamma"):
            weights[key] = (rng.uniform(0.2, 1.5, array.shape) * rng.choice([-1, 1], array.shape)).astype(
                "f4"
            )
        elif key.endswith((".beta", ".moving_mean")):
            weights[key] = rng.normal(0, 0.3, array.shape).astype("f4")
        elif key.endswith(".moving_variance"):
            weights[key] = rng.uniform(0.5, 2, array.shape).astype("f4")
    groups = artifact.kind.channel_groups(artifact)
    for group in groups:  # a few channels of each small, in all that belong to them
        for layer in group.norms:
            weights[f"{layer}.gamma"][::3] *= 0.1
    cuts = choose(weights, groups, 1 / 3, Limits(), "a.ckpt")
    assert all(cut.is_cut.any() for cut in cuts), "a cut that misses a layer does not show that it is right"
    smaller = replace(artifact, network=replace(artifact.network, channels=channels_of(cuts)))
    small_weights = pruned(weights, cuts, "a.ckpt")
    whole_weights = masked(weights, cuts)
    path = tmp_path / "small.ckpt"
    assert write_pruned(str(path), (small_weights, smaller), (whole_weights, artifact)) <= 1e-5

    image = artifact.preprocessing
    images = rng.uniform(-1, 1, (3, image.channels, image.height, image.width)).astype(np.float32)
    whole = evaluation_backend(artifact)
    load_weights(whole.network, whole_weights, "whole")
    expected = whole.forward(images)
    original = evaluation_backend(artifact)
    load_weights(original.network, weights, "original")
    assert np.abs(original.forward(images) - expected).max() > 0.01, "cutting changes something"

    small = open_backend(str(path), "CPU")
    assert small.artifact.network == smaller.network
    assert parameters(small_weights) < 0.8 * parameters(weights)
    backend = evaluation_backend(smaller)
    load_weights(backend.network, small_weights, "small")
    backend.artifact = replace(smaller, weights_sha256=small.artifact.weights_sha256)
    files = [export_model(backend, str(tmp_path / "small"), form, "CPU") for form in ("ONNX", "MINDIR")]
    for opened in (small, *(open_backend(str(file), "CPU") for file in files)):
        assert opened.artifact.network == smaller.network
        np.testing.assert_allclose(opened.forward(images), expected, atol=1e-5, err_msg=opened.name)


def test_networks_without_batch_norm_everywhere_are_refused() -> None:
    for version in ("paper", "vgg"):
        artifact = Artifact(Charset(), Preprocessing(), create_spec(version, 8, SCALE))
        with pytest.raises(UserError, match=f"model_version {version}: some .* have no batch norm"):
            artifact.kind.channel_groups(artifact)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_description_holds_channels_only_where_they_are_given(name: str) -> None:
    artifact = described(name)
    assert "channels" not in artifact.to_json().replace('"last_channels"', "")
    counts = tuple(range(3, 3 + len(artifact.kind.channel_groups(artifact))))
    smaller = replace(artifact, network=replace(artifact.network, channels=counts))
    assert f'"channels": {list(counts)}' in smaller.to_json()
    assert Artifact.from_json(smaller.to_json(), "a.json") == smaller
    with pytest.raises(UserError, match=r"a\.json: channels is '4,5', but "):
        Artifact.from_json(smaller.to_json().replace(str(list(counts)), "[4, 5]"), "a.json")
    for wrong in ("[4, 0]", "[true]", '["x"]', "[1.5]", "7", '{"a": 1}'):
        with pytest.raises(UserError, match=r"a\.json: channels is "):
            Artifact.from_json(smaller.to_json().replace(str(list(counts)), wrong), "a.json")
