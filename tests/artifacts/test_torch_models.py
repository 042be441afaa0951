"""Networks of PyTorch's projects: their files become checkpoints, MINDIR and ONNX, and files again."""

from pathlib import Path

import numpy as np
import pytest
from conftest import Outcome, Run, assert_refused

import export
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.artifacts.torch.pth_file import read_pth
from crnn_mindspore.artifacts.torch.safetensors_file import read_safetensors, write_safetensors
from crnn_mindspore.cli import convert_weights
from crnn_mindspore.data.preprocess import preprocess
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.reading.recognizer import Recognizer

FOLDER = Path(__file__).parent / "torch_models"  # made by make_torch_models.py
CHINESE = "中国人民A"
OPTIONS = {
    "crnn_pytorch": (),
    "chinese": (f"--label_dict={CHINESE}", "--image_width=160", "--leaky_slope=0.2", "--image_resize=linear"),
    "parseq": (),
    "deep_text": (),
    "crnn_pytorch_gru": (),
    "deep_text_gru": (),
}
# What the projects' own programs do with an image; classes, blank included; the project.
FACTS = {
    "crnn_pytorch": ("paper", 100, "GREY", "pillow-linear", 37, "crnn.pytorch"),
    "chinese": ("paper", 160, "GREY", "linear", 6, "crnn.pytorch"),
    "parseq": ("paper", 128, "RGB", "pillow-cubic", 95, "parseq"),
    "deep_text": ("vgg", 100, "GREY", "pillow-cubic", 37, "deep-text-recognition-benchmark"),
    "crnn_pytorch_gru": ("paper", 100, "GREY", "pillow-linear", 37, "crnn.pytorch"),
    "deep_text_gru": ("vgg", 100, "RGB", "pillow-cubic", 37, "deep-text-recognition-benchmark"),
}
LOADED_BY = {
    "crnn_pytorch": "CRNN of models/crnn.py in github.com/meijieru/crnn.pytorch; the blank is class 0",
    "chinese": "CRNN of models/crnn.py in github.com/meijieru/crnn.pytorch; the blank is class 0",
    "parseq": "CRNN of strhub/models/crnn/model.py in github.com/baudm/parseq; the blank is class 0",
    "deep_text": "Model of model.py in github.com/clovaai/deep-text-recognition-benchmark, with None-VGG-",
    "crnn_pytorch_gru": "meijieru/crnn.pytorch, with nn.GRU in place of nn.LSTM; the blank is class 0",
    "deep_text_gru": "with None-VGG-BiLSTM-CTC, with nn.GRU in place of nn.LSTM; the blank is class 0",
}


@pytest.fixture
def convert(run_program: Run) -> Run:
    return lambda *options: run_program(convert_weights.main, *options)


def converted(convert: Run, name: str, folder: Path) -> Path:
    target = folder / f"{name}.ckpt"
    outcome = convert(f"--from_torch={FOLDER / name}.pth", f"--output={target}", *OPTIONS[name])
    assert outcome.status == 0, outcome
    return target


@pytest.mark.slow
@pytest.mark.parametrize("name", FACTS)
def test_every_file_format_gives_pytorchs_logits(convert: Run, tmp_path: Path, name: str) -> None:
    checkpoint = converted(convert, name, tmp_path)
    for form in ("MINDIR", "ONNX"):
        options = (f"--ckpt_file={checkpoint}", f"--file_name={tmp_path / name}", f"--file_format={form}")
        assert export.main([*options, "--device_target=CPU"]) == 0
    with np.load(FOLDER / "logits.npz") as arrays:
        images, logits = arrays[f"{name}_images"], arrays[f"{name}_logits"]
    expected = np.roll(logits, -1, axis=2)  # the blank last
    assert np.abs(expected[:, 0] - expected[:, 1]).max() > 0.3  # the images matter
    for ending in ("ckpt", "mindir", "onnx"):
        backend = open_backend(str(tmp_path / f"{name}.{ending}"))
        np.testing.assert_allclose(backend.forward(images), expected, atol=1e-4, err_msg=ending)
        assert backend.artifact.kind.score_shape(backend.artifact) == expected[:, 0].shape


@pytest.mark.slow
@pytest.mark.parametrize("name", FACTS)
def test_there_and_back_every_bit_is_the_same(convert: Run, tmp_path: Path, name: str) -> None:
    checkpoint = converted(convert, name, tmp_path)
    version, width, colours, interpolation, classes, project = FACTS[name]
    artifact = read_checkpoint_file(str(checkpoint)).artifact
    assert artifact is not None
    p = artifact.preprocessing
    assert (artifact.network.version, artifact.codec.num_classes) == (version, classes)
    assert artifact.training["layout"] == project
    assert (p.width, p.channel_order, p.interpolation) == (width, colours, interpolation)
    given, back = tmp_path / "given.safetensors", tmp_path / "back.ckpt"
    outcome = convert(f"--ckpt_file={checkpoint}", f"--to_torch={given}")
    assert outcome.status == 0, outcome
    (loader,) = [line for line in outcome.out.splitlines() if line.startswith("loads into: ")]
    assert LOADED_BY[name] in loader
    assert ("nn.GRU" in loader) == (artifact.network.rnn_type == "gru") == name.endswith("_gru")
    theirs = {
        n.removeprefix("module.").removeprefix("model."): a
        for n, a in read_pth(FOLDER / f"{name}.pth").items()
        if not n.endswith("num_batches_tracked")
    }
    ours, _ = read_safetensors(given)
    assert ours.keys() == theirs.keys()
    for key, array in theirs.items():
        assert (ours[key].dtype, ours[key].tobytes()) == (array.dtype, array.tobytes()), key
    assert convert(f"--from_torch={given}", f"--output={back}").status == 0
    before, after = read_checkpoint_file(str(checkpoint)), read_checkpoint_file(str(back))
    assert after.artifact == before.artifact
    assert {n: a.tobytes() for n, a in after.weights.items()} == {
        n: a.tobytes() for n, a in before.weights.items()
    }


@pytest.mark.slow
def test_a_converted_network_reads_images_of_any_width(convert: Run, tmp_path: Path) -> None:
    checkpoint = converted(convert, "chinese", tmp_path)
    image = np.random.default_rng(1).integers(0, 256, (40, 300, 3), dtype=np.uint8)
    for keep_ratio in (False, True):
        (reading,) = Recognizer.load(str(checkpoint), keep_ratio=keep_ratio)([image])
        assert reading.text is not None
        assert set(reading.text) <= set(CHINESE)


@pytest.mark.slow
def test_the_blank_may_be_last(convert: Run, tmp_path: Path) -> None:
    first = read_checkpoint_file(str(converted(convert, "crnn_pytorch", tmp_path))).weights
    target = tmp_path / "last.ckpt"
    outcome = convert(f"--from_torch={FOLDER / 'crnn_pytorch.pth'}", f"--output={target}", "--blank=last")
    assert outcome.status == 0, outcome
    last = read_checkpoint_file(str(target)).weights
    for key, array in last.items():
        moved = np.roll(array, -1, axis=0) if key.startswith("rnn.1.embedding") else array
        np.testing.assert_array_equal(moved, first[key])


def test_what_contradicts_the_shapes_is_refused(convert: Run, tmp_path: Path) -> None:
    def attempt(name: str, *options: str) -> Outcome:
        return convert(f"--from_torch={FOLDER / name}.pth", f"--output={tmp_path / 'a.ckpt'}", *options)

    assert_refused(
        attempt("chinese"), "chinese.pth: has 6 classes, and no usual alphabet of crnn.pytorch is so long"
    )
    assert_refused(attempt("chinese", "--label_dict=abc"), "has 6 classes, but label_dict has 3 characters")
    assert_refused(attempt("parseq", "--image_colours=GREY"), "of 3 channels, but image_colours GREY has 1")
    assert_refused(attempt("crnn_pytorch", "--image_std=0"), "std is 0.0, must not be 0")
    assert not (tmp_path / "a.ckpt").exists()


REFUSED = {
    "Transformation.LocalizationNetwork.conv.0.weight": "a transformation of the image (TPS)",
    "FeatureExtraction.ConvNet.conv0_1.weight": "a ResNet as its backbone",
    "FeatureExtraction.ConvNet.3.wgf_u.weight": "a gated recurrent backbone (RCNN)",
    "Prediction.attention_cell.i2h.weight": "attention",
    "encoder.blocks.0.norm1.weight": "a transformer",
    "cnn.denseblock1.conv.weight": "a DenseNet as its backbone",
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_networks_are_refused_by_name(convert: Run, tmp_path: Path, name: str) -> None:
    arrays = read_pth(FOLDER / "deep_text.pth")
    path = tmp_path / "other.safetensors"
    write_safetensors(path, {**arrays, f"module.{name}": np.ones((2, 2), np.float32)})
    outcome = convert(f"--from_torch={path}")
    assert_refused(outcome, f"{path}: is a network with {REFUSED[name]}, which is not known here: '{name}'")


def test_other_recurrent_layers_and_missing_ones_are_refused(convert: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    arrays = dict(read_pth(FOLDER / "crnn_pytorch.pth"))
    write_safetensors(path, {**arrays, "rnn.0.rnn.weight_hh_l0": np.ones((4, 4), np.float32)})
    refusal = f"{path}: its recurrent layers are neither LSTM nor GRU: 4 rows for 4 units"
    assert_refused(convert(f"--from_torch={path}"), refusal)
    arrays = {n: a for n, a in read_pth(FOLDER / "deep_text.pth").items() if "SequenceModeling" not in n}
    write_safetensors(path, arrays)
    assert_refused(convert(f"--from_torch={path}"), "is a VGG without BiLSTM")


def test_grey_is_pillows() -> None:
    from PIL import Image

    from crnn_mindspore.data.preprocess import Preprocessing

    image = np.random.default_rng(0).integers(0, 256, (50, 170, 3), dtype=np.uint8)
    p = Preprocessing(50, 170, "GREY", mean=0, std=1)
    expected = np.asarray(Image.fromarray(image[:, :, ::-1]).convert("L"), dtype=np.float32)
    np.testing.assert_array_equal(preprocess(image, p)[0], expected)
    for name, how in (
        ("pillow-linear", Image.Resampling.BILINEAR),
        ("pillow-cubic", Image.Resampling.BICUBIC),
    ):
        p = Preprocessing(32, 100, "RGB", name, 0, 1)
        resized = np.asarray(Image.fromarray(image[:, :, ::-1]).resize((100, 32), how), dtype=np.float32)
        np.testing.assert_array_equal(preprocess(image, p), resized.transpose(2, 0, 1))
