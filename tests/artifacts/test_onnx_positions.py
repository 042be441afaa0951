"""The networks for positions as ONNX and as MINDIR: the scores of the network, in any batch."""

from pathlib import Path

import mindspore as ms
import numpy as np
import onnx
import onnxruntime
import pytest
from mindspore import Tensor, nn
from positions_reference import randomize

from crnn_mindspore.artifacts.onnx_positions import build_character_net, build_resnet18
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.exporting.onnx_precision import quantize, to_half
from crnn_mindspore.networks.character_net import CharacterNet
from crnn_mindspore.networks.image_network import ImageNetwork
from crnn_mindspore.networks.resnet import ResNet18

pytestmark = pytest.mark.slow

TINY = 1 / 16
POSITIONS, CLASSES = 3, 5
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 1, 1, 0]], bool)


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def create(kind: str) -> ImageNetwork:
    """A network with a mask by the name that tests give it: v1 and v2 are ResNets."""
    if kind == "character":
        return CharacterNet(POSITIONS, CLASSES, MASK, TINY)
    return ResNet18(POSITIONS, CLASSES, MASK, kind, TINY)


def evaluated(network: ImageNetwork) -> tuple[ImageNetwork, dict[str, np.ndarray]]:
    """A network with random parameters, for any batch; these parameters."""
    weights = randomize(network)
    return network.set_train(False).accept_any_shape(), weights


def run(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (scores,) = session.run(["logits"], {"images": images})
    return scores


@pytest.mark.parametrize("mask", [MASK, None], ids=["mask", "all"])
@pytest.mark.parametrize("block", ["v1", "v2"])
@pytest.mark.parametrize("in_channels", [1, 3])
def test_a_resnet_as_onnx_has_the_networks_scores_at_any_size(
    block: str, in_channels: int, mask: np.ndarray | None
) -> None:
    network, weights = evaluated(ResNet18(POSITIONS, CLASSES, mask, block, TINY, 256, in_channels))
    model = build_resnet18(weights, POSITIONS, mask, {"facts": "{}"})
    onnx.checker.check_model(model, full_check=True)
    assert {p.key: p.value for p in model.metadata_props} == {"facts": "{}"}
    for count, height, width in ((1, 48, 144), (4, 24, 94), (2, 33, 7), (3, 1, 1)):
        images = pictures(count, in_channels, height, width)
        expected = network(Tensor(images)).asnumpy()
        assert expected.shape == (POSITIONS, count, CLASSES)
        np.testing.assert_allclose(run(model, images), expected, atol=1e-4)


@pytest.mark.parametrize("stem", [(1, False), (1, True), (2, False)])
def test_a_stem_without_halving_is_the_same_as_onnx(stem: tuple[int, bool]) -> None:
    network, weights = evaluated(ResNet18(POSITIONS, CLASSES, None, "v2", TINY, 256, stem=stem))
    model = build_resnet18(weights, POSITIONS, None, {}, stem=stem)
    images = pictures(2, 3, 33, 47)
    np.testing.assert_allclose(run(model, images), network(Tensor(images)).asnumpy(), atol=1e-4)


@pytest.mark.parametrize("mask", [MASK, None], ids=["mask", "all"])
@pytest.mark.parametrize("size", [(64, 64), (40, 71)])
def test_a_character_network_as_onnx_has_the_networks_scores(
    size: tuple[int, int], mask: np.ndarray | None
) -> None:
    network, weights = evaluated(CharacterNet(POSITIONS, CLASSES, mask, TINY, size))
    model = build_character_net(weights, POSITIONS, mask, {}, size)
    onnx.checker.check_model(model, full_check=True)
    for count in (1, 4):
        images = pictures(count, 1, *size)
        np.testing.assert_allclose(run(model, images), network(Tensor(images)).asnumpy(), atol=1e-4)


def test_a_fixed_size_is_the_only_one_that_is_taken() -> None:
    _, weights = evaluated(ResNet18(POSITIONS, CLASSES, None, "v1", TINY))
    model = build_resnet18(weights, POSITIONS, None, {}, (48, 144))
    (images,), (scores,) = model.graph.input, model.graph.output
    sizes = [[d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] for x in (images, scores)]
    assert sizes == [["N", 3, 48, 144], [POSITIONS, "N", CLASSES]]


def test_batch_norm_after_a_convolution_is_folded_into_it() -> None:
    for network, build, count in (
        (ResNet18(POSITIONS, CLASSES, None, "v1", TINY), build_resnet18, {"Conv": 20, "Relu": 17, "Mul": 0}),
        # v2: one over the input of each of eight blocks, and one at the end.
        (ResNet18(POSITIONS, CLASSES, None, "v2", TINY), build_resnet18, {"Conv": 20, "Relu": 17, "Mul": 9}),
        (CharacterNet(POSITIONS, CLASSES, None, TINY), build_character_net, {"Conv": 5, "Relu": 6, "Mul": 0}),
    ):
        kinds = [node.op_type for node in build(evaluated(network)[1], POSITIONS, None, {}).graph.node]
        assert {kind: kinds.count(kind) for kind in count} == count


def test_a_missing_parameter_and_a_mask_that_does_not_fit_are_named() -> None:
    _, weights = evaluated(CharacterNet(POSITIONS, CLASSES, None, TINY))
    with pytest.raises(UserError, match=r"mask of the classes has shape \(3, 4\)"):
        build_character_net(weights, POSITIONS, MASK[:, :4], {})
    del weights["features.conv3.bn.moving_mean"]
    with pytest.raises(UserError, match=r"no parameter features\.conv3\.bn\.moving_mean"):
        build_character_net(weights, POSITIONS, None, {})


@pytest.mark.parametrize("kind", ["v1", "v2", "character"])
def test_less_precision_keeps_the_scores_to_its_digits_and_the_mask(kind: str) -> None:
    network, weights = evaluated(create(kind))
    build = build_character_net if kind == "character" else build_resnet18
    model = build(weights, POSITIONS, MASK, {})
    images = pictures(8, *((1, 64, 64) if kind == "character" else (3, 48, 144)))
    expected = network(Tensor(images)).asnumpy()
    present = np.broadcast_to(MASK[:, None], expected.shape)
    span = np.ptp(expected[present])
    for less, allowed in ((to_half(model), 0.01), (quantize(model, [images]), 0.1)):
        found = run(less, images)
        assert 0 < np.abs(found - expected)[present].max() < allowed * span
        assert found[~present].max() < -9000


@pytest.mark.parametrize("kind", ["v1", "v2", "character"])
def test_a_mindir_gives_the_same_scores_to_the_last_bit(kind: str, tmp_path: Path) -> None:
    network, _ = evaluated(create(kind))
    path = str(tmp_path / "network.mindir")
    shape = Tensor(shape=list(network.input_shape), dtype=ms.float32)
    ms.export(network, shape, file_name=path, file_format="MINDIR")
    graph = nn.GraphCell(ms.load(path))
    for count in (1, 3):
        size = (1, 64, 64) if kind == "character" else (3, 48, 47 * (count + 1))
        images = Tensor(pictures(count, *size))
        np.testing.assert_array_equal(graph(images).asnumpy(), network(images).asnumpy())
