"""The training in PyTorch: what of it needs no PyTorch, and where that is installed, the rest."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reference import crnn_logits, random_weights

from benchmarks.torch_training import main
from benchmarks.twin.packing import pack, unpack
from benchmarks.twin.widening import widened
from benchmarks.twin.worker import Targets
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.torch.torch_layouts import to_ours
from crnn_mindspore.artifacts.torch.torch_weights import read_torch_weights
from crnn_mindspore.data.preprocess import Preprocessing, normalize
from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.effects.settings import load_effects
from crnn_mindspore.synth.render import Renderer, create_renderer
from crnn_mindspore.synth.typefaces.fonts import FontLibrary
from crnn_mindspore.synth.words.corpus import Corpus
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec, PyTorchSpec
from crnn_mindspore.text.charset import Charset

CHANNELS = [4, 8, 16, 16, 32, 32, 32]
NARROW = NetworkSpec("V2", 8, 1 / 16)
NEEDS_TORCH = "PyTorch is for benchmarks only"
NO_DROPOUT = SimpleNamespace(use_dropout=False)


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize(("scale", "hidden"), [(2, 8), (1.5, 12), (1, 20), (3, 16)])
def test_a_widened_network_computes_the_same_and_its_repetitions_differ(
    version: str, scale: float, hidden: int
) -> None:
    weights = random_weights(37, 8, CHANNELS, version)
    narrow = replace(NARROW, version=version)
    wide = widened(weights, narrow, NetworkSpec(version, hidden, scale / 16), seed=1)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, 32, 60))
    expected = crnn_logits(images, weights, version)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(crnn_logits(images, wide, version), expected, atol=1e-5)
    assert wide["vgg.conv7.conv.weight"].shape[0] == 32 * scale
    if scale == 2:
        first, second = wide["vgg.conv2.conv.weight"][0], wide["vgg.conv2.conv.weight"][8]
        assert np.abs(first - second).max() > 0.01  # shares of their own
        np.testing.assert_allclose(first[:4] + first[4:], second[:4] + second[4:], rtol=1e-5)


def test_widening_refuses_what_is_narrower_or_another_version() -> None:
    weights = random_weights(37, 8, CHANNELS, "V2")
    for wide in (NetworkSpec("V1", 8, 1 / 8), NetworkSpec("V2", 4, 1 / 8), NetworkSpec("V2", 8, 1 / 32)):
        with pytest.raises(UserError, match="cannot become"):
            widened(weights, NARROW, wide, seed=0)


@pytest.mark.parametrize(
    ("name", "leaky_slope"),
    [
        *(("crnn_pytorch", 0.0), ("chinese", 0.2), ("deep_text", 0.0)),
        *(("crnn_pytorch_gru", 0.0), ("deep_text_gru", 0.0)),
    ],
)
def test_the_networks_of_other_projects_give_their_logits(name: str, leaky_slope: float) -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.torch_projects import from_project_weights

    folder = Path(__file__).parents[1] / "artifacts" / "torch_models"
    found = read_torch_weights(str(folder / f"{name}.pth"))
    assert found.layout is not None
    network = from_project_weights(to_ours(found.weights, found.layout, True), leaky_slope).eval()
    with np.load(folder / "logits.npz") as arrays, torch.inference_mode():
        logits = network(torch.from_numpy(arrays[f"{name}_images"])).numpy()
        np.testing.assert_allclose(logits, np.roll(arrays[f"{name}_logits"], -1, axis=2), atol=1e-5)


@pytest.mark.parametrize(
    "p",
    [
        Preprocessing(channel_order="GREY"),
        Preprocessing(channel_order="RGB", mean=100, std=50),
        Preprocessing(channel_order="GREY", standardize=True),
    ],
    ids=lambda p: f"{p.channel_order}-{p.standardize}",
)
def test_the_device_normalises_as_the_package_does(p: Preprocessing) -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.training import Input

    images = np.random.default_rng(0).integers(0, 256, (3, 32, 100, 3), dtype=np.uint8)
    found = Input(p)(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, normalize(images, p), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--guide=-0.5"], "guide is -0.5, must be 0 or more"),
        (["--guide=nan"], "guide is nan, must be 0 or more"),
        (["--guide=0.5", "--task=plates"], "--guide is for networks of the output ctc, not of positions"),
    ],
)
def test_a_guide_that_cannot_be_is_refused(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--train_dataset=render", "--max_steps=1", *options]) == 2
    assert capsys.readouterr().err.strip().endswith(message)


def test_targets_are_padded_and_their_lengths_told() -> None:
    targets, lengths = Targets(Charset("abc"), 4)(["Ab", "c"])
    assert targets.tolist() == [[0, 1, 0, 0], [2, 0, 0, 0]]
    assert lengths.tolist() == [2, 1]
    assert targets.dtype == lengths.dtype == np.int32


@pytest.mark.parametrize("has_fonttools", [True, False])
def test_a_packed_renderer_makes_the_same_images_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_fonttools: bool
) -> None:
    if has_fonttools:
        pytest.importorskip("fontTools", reason="makes packed typefaces smaller")
    else:
        monkeypatch.setitem(__import__("sys").modules, "fontTools", None)
    whole = create_renderer(charset=Charset(), split="train")
    faces = whole.fonts.faces[:: max(1, len(whole.fonts.faces) // 6)]
    corpus = Corpus(Charset(), split="train")
    renderer = Renderer(corpus, FontLibrary(faces), load_effects(), Charset(), seed=3, split="train")
    paths = [face.path for face in faces]
    said = pack(tmp_path / "a.tar.xz", {"train": renderer, "test": renderer.of_split("test")})
    assert f"{len(faces)} typefaces" in said
    assert [face.path for face in faces] == paths
    found = unpack(tmp_path / "a.tar.xz")
    assert not {face.path for face in found["train"].fonts.faces} & set(paths)
    for index in range(12):
        for split, expected in (("train", renderer), ("test", renderer.of_split("test"))):
            (image, text), (other, label) = expected.render(index), found[split].render(index)
            assert text == label
            assert has_fonttools or np.array_equal(image, other)


def test_what_is_not_a_packed_renderer_is_refused(tmp_path: Path) -> None:
    for name, content in (("a.tar.xz", b"nothing"), ("gone.tar.xz", None)):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match=f"{path}: is not what --pack_fonts writes"):
            unpack(path)


def test_a_pool_gives_new_images_first_each_at_most_so_often() -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.pool import Chunk, Pool

    def chunk(number: int) -> Any:
        ids = np.arange(8 * number, 8 * number + 8, dtype=np.int32)
        images = torch.from_numpy((ids % 256).astype(np.uint8))[:, None, None, None].expand(8, 2, 2, 3)
        return Chunk(images.clone(), torch.from_numpy(np.stack([ids, ids], 1)), ids % 7)

    pool = Pool(40, chunk(0), 3, torch.device("cpu"), np.random.default_rng(0))
    seen: dict[int, int] = {}
    for number in range(60):
        pool.take_in(chunk(number))
        for _ in range(2):
            if pool.available() < 10:
                continue
            draw = pool.draw(10)
            for row, place in enumerate(draw.targets[:, 0].tolist()):
                assert bool(draw.is_again[row]) == (place in seen)
                assert draw.images[row].flatten().tolist() == [place % 256] * 12
                assert int(draw.lengths[row]) == place % 7
                seen[place] = seen.get(place, 0) + 1
    assert set(seen) == set(range(480))
    assert max(seen.values()) <= 3
    assert pool.taken_in == 480 and pool.drawn == sum(seen.values()) and pool.unseen == pool.waiting() == 0
    for number in range(60, 70):
        pool.take_in(chunk(number))
    assert (pool.unseen, pool.waiting()) == (40, 40)  # a ring of 40 went round twice
    assert pool.available() == 40


def test_images_that_are_new_stay_as_they_are() -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.distortion import Distortion

    images = torch.rand(6, 3, 32, 100) * 2 - 1
    distort = Distortion(1.0, torch.device("cpu"), seed=1)
    is_again = torch.tensor([False, True, False, True, True, False])
    found = distort(images, is_again)
    assert torch.equal(found[~is_again], images[~is_again])
    assert (found[is_again] - images[is_again]).abs().mean() > 0.01
    assert found.abs().max() <= 1
    assert torch.equal(Distortion(0.0, torch.device("cpu"), seed=1)(images, is_again), images)


@pytest.mark.parametrize("origin", ["crnn.pytorch", "parseq", "deep-text", "pytorch"])
def test_initial_weights_are_as_the_projects_draw_them(origin: str) -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.initial import start_as
    from benchmarks.twin.task import create_task

    torch.manual_seed(0)
    spec = PyTorchSpec("paper", 64, 0.25, rnn_type="gru")
    network = create_task(Artifact(Charset(), Preprocessing(), spec), NO_DROPOUT).create_network()
    start_as(network, origin)
    named = dict(network.named_parameters())
    convolution, norm, dense = (
        named[f"{name}.weight"] for name in ("cnn.conv3", "cnn.batchnorm2", "rnn.0.embedding")
    )
    gates = named["rnn.0.rnn.weight_ih_l0"]
    uniform = {"gates": (64 * 3) ** -0.5, "dense": (128 * 3) ** -0.5, "convolution": (576 * 3) ** -0.5}
    deviations = {
        "crnn.pytorch": {"convolution": 0.02, "dense": uniform["dense"], "gates": uniform["gates"]},
        "parseq": {"convolution": (2 / 576) ** 0.5, "dense": 0.02, "gates": uniform["gates"]},
        "deep-text": {
            "convolution": (2 / 576) ** 0.5,
            "dense": (2 / 128) ** 0.5,
            "gates": (2 / 128) ** 0.5,
        },
        "pytorch": uniform,
    }[origin]
    for name, weight in {"convolution": convolution, "dense": dense, "gates": gates}.items():
        assert float(weight.detach().std()) == pytest.approx(deviations[name], rel=0.05), name
    assert float(norm.detach().std()) == pytest.approx(0.02 if origin == "crnn.pytorch" else 0, abs=0.006)
    biases = {name: float(p.detach().abs().max()) for name, p in named.items() if "bias" in name}
    zero = {
        "crnn.pytorch": ("batchnorm",),
        "parseq": ("batchnorm", "conv", "embedding"),
        "deep-text": ("",),
        "pytorch": ("batchnorm",),
    }[origin]
    for name, largest in biases.items():
        assert (largest == 0) == any(part in name for part in zero), name


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_the_penalty_on_gamma_is_ours(optimizer: str) -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.update import Recipe, Updates

    def trained(strength: float) -> list[Any]:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4))
        network[1].weight.data = torch.tensor([1.0, -0.5, 0.02, 0.0])
        recipe = Recipe(optimizer, momentum=0.0, gamma_l1=strength, clip_norm=0.5)
        updates = Updates(network, lambda scores, targets, lengths: (scores**2 * targets).sum(), recipe)
        images, weights = torch.ones(2, 3, 5, 5).cumsum(2), torch.tensor([1.0, 2, 0, 0]).reshape(1, 4, 1, 1)
        updates.step(images, weights, torch.zeros(2), 0.1)
        return [p.detach().clone() for p in network.parameters()]

    plain, penalised = trained(0.0), trained(0.3)
    signs = torch.tensor([1.0, -1.0, 1.0, 0.0])
    if optimizer == "sgd":
        torch.testing.assert_close(penalised[1], plain[1] - 0.1 * 0.3 * signs)
    elif optimizer == "adamw":  # towards 0 and not beyond it
        moved = torch.tensor([0.03, -0.03, 0.02, 0.0])
        torch.testing.assert_close(penalised[1], plain[1] - moved)
    else:  # what no loss moves goes by the penalty alone, a learning rate at a time
        torch.testing.assert_close(penalised[1][2:], torch.tensor([0.02 - 0.1, 0.0]))
    assert torch.equal(penalised[0], plain[0])
    assert torch.equal(penalised[2], plain[2])
