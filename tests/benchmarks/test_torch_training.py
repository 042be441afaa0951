"""The training in PyTorch: what of it needs no PyTorch, and where that is installed, the rest."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reference import crnn_logits, random_weights

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
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset

CHANNELS = [4, 8, 16, 16, 32, 32, 32]
NARROW = NetworkSpec("V2", 8, 1 / 16)
NEEDS_TORCH = "PyTorch is for benchmarks only"


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
    ("name", "leaky_slope"), [("crnn_pytorch", 0.0), ("chinese", 0.2), ("deep_text", 0.0)]
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
            if pool.available < 10:
                continue
            draw = pool.draw(10)
            for row, place in enumerate(draw.targets[:, 0].tolist()):
                assert bool(draw.is_again[row]) == (place in seen)
                assert draw.images[row].flatten().tolist() == [place % 256] * 12
                assert int(draw.lengths[row]) == place % 7
                seen[place] = seen.get(place, 0) + 1
    assert set(seen) == set(range(480))
    assert max(seen.values()) <= 3
    assert pool.taken_in == 480 and pool.drawn == sum(seen.values()) and pool.unseen == 0
    for number in range(60, 70):
        pool.take_in(chunk(number))
    assert pool.unseen == 40  # a ring of 40 went round twice
    assert pool.available == 40


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


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw", "radam", "rmsprop", "adadelta"])
def test_a_saved_training_goes_on_with_the_same_updates(tmp_path: Path, optimizer: str) -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin import states
    from benchmarks.twin.task import create_task
    from benchmarks.twin.update import Recipe, Updates

    artifact = Artifact(Charset(), Preprocessing(), NARROW)
    task = create_task(artifact, SimpleNamespace(use_dropout=False))
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
        torch.testing.assert_close(second.averages[name], average, atol=1e-3, rtol=1e-3)  # kept in float16


def test_files_of_a_saving_stay_within_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin import states
    from benchmarks.twin.task import create_task
    from benchmarks.twin.update import Recipe, Updates
    from crnn_mindspore.artifacts.torch.torch_weights import read_torch_weights

    monkeypatch.setattr(states, "_LARGEST_FILE", 60_000)
    artifact = Artifact(Charset(), Preprocessing(), NARROW)
    task = create_task(artifact, SimpleNamespace(use_dropout=False))
    updates = Updates(task.create_network(), task.loss, Recipe(ema_decay=0.9))
    updates.step(torch.rand(2, 3, 32, 100), torch.zeros(2, 24, dtype=torch.int32), torch.tensor([3, 4]), 1e-3)
    numbers = sum(t.numel() for t in updates.averages.values())
    for bytes_each, kept in ((14, True), (10, True), (8, True), (4, False)):
        files = states.save(tmp_path, updates, artifact, states.Facts(1), bytes_each * numbers + 210_000)
        assert set(files) == set(tmp_path.iterdir())
        assert max(file.stat().st_size for file in files) < 75_000
        again = Updates(task.create_network(), task.loss, Recipe(ema_decay=0.9))
        states.restore(tmp_path, again, artifact)
        assert bool(again.optimizer.state) == kept
        assert again.count == (1 if kept else 0)
        for name, value in updates.averages.items():
            torch.testing.assert_close(again.averages[name], value, atol=1e-3, rtol=1e-3)
        found = read_torch_weights(str(files[0]))
        assert found.artifact is not None and found.artifact.precision == "fp16"
