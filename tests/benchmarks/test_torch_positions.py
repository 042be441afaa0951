"""The training of positions in PyTorch: networks, losses, packed renderers. PyTorch is no requirement."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.synth.typefaces.font_files import find_font_files
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

LAYOUT = {
    "text": [{"name": "first", "classes": "ABC"}, {"name": "second", "classes": [*"01", ""]}],
    "attributes": [{"name": "colour", "classes": ["red", "blue"], "weight": 0.5}],
}
CODEC = PositionsCodec(layout_of(LAYOUT))
NETWORKS = {
    "resnet": PositionsNetwork("resnet18", 0.125),
    "resnet v2, all places": PositionsNetwork("resnet18", 0.125, "v2", 1, False, 256, map_mean=False),
    "pooled, all places": PositionsNetwork("resnet18", 0.125, last_channels=256, map_mean=False),
    "characters": PositionsNetwork("character_net", 0.125),
    "resnet, cut": PositionsNetwork("resnet18", channels=(8, 3, 5, 12, 7, 6, 9, 10, 4, 20, 11, 13)),
    "characters, cut": PositionsNetwork("character_net", channels=(5, 9, 7, 11, 12, 30)),
}


def _task(network: PositionsNetwork, codec: PositionsCodec = CODEC, **options: Any) -> Any:
    from benchmarks.twin.task import create_task

    artifact = Artifact(
        codec, Preprocessing(width=40, height=24, standardize=True), network, task="positions"
    )
    given = {"use_dropout": False, "loss": "cross_entropy", "label_smoothing": 0.0, "focal_gamma": 2.0}
    given |= {"focal_alpha": 1.0, "ghm_bins": 10, "ghm_momentum": 0.75, "ghm_joint": False}
    return create_task(artifact, SimpleNamespace(**(given | options)))


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_networks_compute_what_the_exported_ones_do(network: PositionsNetwork) -> None:
    from benchmarks.torch_twin import to_weights
    from crnn_mindspore.tasks.positions.kind import KIND

    torch.manual_seed(3)
    task = _task(network)
    twin = task.create_network()
    for module in twin.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    images = torch.randn(3, 3, 24, 40)
    model = KIND.onnx(to_weights(twin), task.artifact)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    ours = twin.eval()(images).detach().numpy()
    own = CODEC.layout.mask[:, None] & np.ones(ours.shape, dtype=bool)
    np.testing.assert_allclose(ours[own], theirs[own], atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"label_smoothing": 0.1},
        {"loss": "focal", "focal_alpha": 0.7},
        {"loss": "ghm"},
        {"loss": "ghm", "ghm_joint": True, "label_smoothing": 0.05},
    ],
    ids=lambda o: "-".join(map(str, o.values())) or "cross_entropy",
)
def test_losses_and_their_gradients_are_those_of_training(options: dict[str, Any]) -> None:
    import mindspore as ms

    from crnn_mindspore.tasks.positions.learning.losses import create_loss

    task = _task(NETWORKS["resnet"], **options)
    given = vars(task._options)
    names = ("label_smoothing", "focal_gamma", "focal_alpha", "ghm_bins", "ghm_momentum", "ghm_joint")
    ours = create_loss(given["loss"], CODEC.layout, *(given[name] for name in names))
    rng = np.random.default_rng(0)
    targets = np.array([[0, 1, 1], [2, 2, -1], [-1, 0, 0]], dtype=np.int32)
    for _ in range(2):  # the second batch meets moving counts
        scores = rng.normal(0, 2, (3, 3, CODEC.layout.num_classes)).astype(np.float32)
        twin_scores = torch.tensor(scores, requires_grad=True)
        loss = task.loss(twin_scores, torch.from_numpy(targets), torch.tensor([3, 3, 3]))
        loss.backward()
        value, gradient = ms.value_and_grad(ours)(ms.Tensor(scores), ms.Tensor(targets))
        assert float(loss) == pytest.approx(float(value.asnumpy()), rel=1e-5)
        assert twin_scores.grad is not None
        np.testing.assert_allclose(twin_scores.grad.numpy(), gradient.asnumpy(), atol=1e-6)


def test_open_positions_are_right_and_attributes_are_not_looked_at() -> None:
    task = _task(NETWORKS["resnet"])
    targets = np.array([[0, 1, 1], [2, -1, 0], [1, 0, 0]], dtype=np.int32)
    scores = torch.zeros(3, 3, CODEC.layout.num_classes)
    for n, ids in enumerate([[0, 1, 0], [2, 0, 0], [1, 1, 0]]):
        for position, i in enumerate(ids):
            scores[position, n, i] = 5
    assert task.is_right(scores, targets, np.full(3, 3)).tolist() == [True, True, False]


def test_colours_are_not_inverted() -> None:
    assert not _task(NETWORKS["resnet"]).may_be_inverted
    single = PositionsCodec(layout_of({"text": [{"name": "character", "classes": "AB"}]}))
    assert _task(NETWORKS["characters"], single).may_be_inverted


@pytest.mark.parametrize("task", ["plates", "characters"])
def test_packed_renderers_make_the_same_images_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    from benchmarks.twin.packing import pack, unpack
    from crnn_mindspore.artifacts.agreement import kind_in
    from crnn_mindspore.options.commands import TrainOptions
    from crnn_mindspore.options.load import load_options

    monkeypatch.setitem(sys.modules, "fontTools", None)  # typefaces whole: images equal to the last bit
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    for path in sorted(path for path, _ in find_font_files(None) if path.stem.startswith("Archivo"))[:3]:
        shutil.copy(path, fonts)
    if task == "plates":
        arguments = ["--config_path=configs/recipes/plates_abroad.yaml"]
    else:
        layout = tmp_path / "latin.yaml"
        layout.write_text("text: [{name: character, classes: ABCabc0123}]\n", encoding="utf-8")
        arguments = ["--task=characters", f"--positions={layout}", "--render_hold_out="]
    arguments += ["--seed=3", f"--render_fonts={fonts}", "--render_only_fonts=True"]
    options = load_options(TrainOptions, arguments, "test", "")
    renderer = kind_in(options).renderer(options)
    pack(tmp_path / "packed.tar.xz", {"train": renderer})
    there = unpack(tmp_path / "packed.tar.xz")["train"]
    for index in range(8):
        (ours, text), (theirs, same) = renderer.render(index), there.render(index)
        assert text == same
        assert np.array_equal(ours, theirs)
