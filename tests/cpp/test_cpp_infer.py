"""cpp_infer, built with a stand-in for MindSpore Lite: sees images as Python does, and crashes on none."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import WORDS, word_image, write_folder
from hostile_images import cheap_png, refused_formats, scan_bomb, text_bomb, two_sizes
from odd_images import write_damaged, write_images
from picture_formats import FORMATS, jpeg_pictures

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.image_io import UnreadableImageError, decode_image, read_image_file
from crnn_mindspore.data.preprocess import Preprocessing, preprocess
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.samples import ListSource, WordSample
from crnn_mindspore.evaluation.evaluator import ImageReading, compare_readings
from crnn_mindspore.evaluation.metric import create_protocol
from crnn_mindspore.offline.input_list import InputList, write_inputs
from crnn_mindspore.shown import shown
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoders.greedy import GreedyDecoder

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cpp")]

ROOT = Path(__file__).resolve().parents[2]
OPENCV = [f"-I{prefix}/include/opencv4" for prefix in ("/usr", "/usr/local")]
ARTIFACT = Artifact(Charset(), Preprocessing(), NetworkSpec())


@dataclass(frozen=True)
class Build:
    """Where the programs lie, and the Lite they were built with."""

    folder: Path
    lite_home: Path

    def run(
        self, program: str, *arguments: object, megabytes: int = 8192
    ) -> subprocess.CompletedProcess[str]:
        library = str(self.lite_home / "runtime" / "lib")
        limited = ["bash", "-c", f'ulimit -v {megabytes << 10} && exec "$@"', "bash"]
        return subprocess.run(
            [*limited, str(self.folder / program), *map(str, arguments)],
            env={**os.environ, "LD_LIBRARY_PATH": library},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """cpp_infer with the stand-in."""
    root = tmp_path_factory.mktemp("cpp")
    fake = ROOT / "tests" / "cpp" / "fake_lite"
    lite_home = root / "lite"
    (lite_home / "runtime" / "lib").mkdir(parents=True)
    (lite_home / "runtime" / "include").symlink_to(fake / "runtime" / "include")
    library = lite_home / "runtime" / "lib" / "libmindspore-lite.so"
    include = f"-I{fake / 'runtime'}"
    options = ["-std=c++17", "-shared", "-fPIC", include, *OPENCV, "-lopencv_core"]
    commands = [
        ["c++", str(fake / "fake_lite.cc"), *options, "-o", str(library)],
        ["cmake", "-S", str(ROOT / "cpp_infer"), "-B", str(root / "build"), f"-DLITE_HOME={lite_home}"],
        ["cmake", "--build", str(root / "build"), "-j2"],
    ]
    for command in commands:
        result = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "warning:" not in result.stdout + result.stderr
    return Build(root / "build", lite_home)


def listed(paths: Sequence[Path], folder: Path, p: Preprocessing = ARTIFACT.preprocessing) -> InputList:
    """Writes the list of these images into a new folder."""
    source = ListSource([WordSample(str(path), "x") for path in paths], "test")
    return write_inputs(str(folder), source, Artifact(Charset(), p, NetworkSpec()))


def seen_by_python(path: Path, p: Preprocessing) -> bytes:
    """What the network sees of an image; nothing if it cannot be read."""
    try:
        return preprocess(decode_image(read_image_file(str(path)), str(path)), p).tobytes()
    except UnreadableImageError:
        return b""


@pytest.mark.parametrize(
    "p",
    [
        Preprocessing(),
        Preprocessing(48, 160, "RGB", "area", 100.3, 57.7),
        Preprocessing(64, 64, interpolation="nearest"),
        Preprocessing(interpolation="cubic"),
        Preprocessing(1, 8),
        Preprocessing(40, 120, "RGB", standardize=True),
        Preprocessing(channel_order="GREY", standardize=True),
        Preprocessing(32, 128, "GREY", "pillow-cubic", step_offset=1),
    ],
    ids=lambda p: f"{p.height}x{p.width}-{p.interpolation}-{p.channel_order}",
)
def test_every_kind_of_image_is_seen_as_python_sees_it(
    build: Build, tmp_path: Path, p: Preprocessing
) -> None:
    paths = write_images(tmp_path / "images")
    inputs = listed(paths, tmp_path / "in", p)
    out = tmp_path / "out"
    out.mkdir()
    result = build.run("crnn_dump", tmp_path / "in" / "inputs.txt", out)
    assert (result.returncode, result.stderr) == (0, "")
    for path, (name, _) in zip(paths, inputs.images, strict=True):
        expected = seen_by_python(path, p)
        assert len(expected) == 4 * p.channels * p.height * p.width
        assert (out / name).read_bytes() == expected, path.name


def list_of(paths: Sequence[Path], folder: Path) -> Path:
    """A list of these images as they are; `write_inputs` would keep back what it cannot read itself."""
    listed(paths[:1], folder)
    list_file = folder / "inputs.txt"
    head = list_file.read_text().partition("images 1\n")[0] + f"images {len(paths)}\n"
    list_file.write_text(head + "".join(f"{i}\t{path}\n" for i, path in enumerate(paths)))
    return list_file


def test_every_picture_is_seen_as_python_sees_it(build: Build, tmp_path: Path) -> None:
    """The cells of docs/guarantees.md; of the other formats Python makes PNGs."""
    paths = []
    for form, make in FORMATS.items():
        for name, picture in make().items():
            paths.append(tmp_path / f"{form}-{name}")
            paths[-1].write_bytes(picture.data)
    inputs = listed(paths, tmp_path / "in")
    stays = [str(path) for path in paths if path.name.startswith(("png", "jpeg"))]
    assert [path for _, path in inputs.images if "/in/images/" not in path] == stays
    out = tmp_path / "out"
    out.mkdir()
    result = build.run("crnn_dump", tmp_path / "in" / "inputs.txt", out)
    assert (result.returncode, result.stderr) == (0, "")
    for path, (name, _) in zip(paths, inputs.images, strict=True):
        assert (out / name).read_bytes() == seen_by_python(path, ARTIFACT.preprocessing), path.name


def test_hostile_files_cost_little_and_are_judged_as_by_python(build: Build, tmp_path: Path) -> None:
    jpeg = jpeg_pictures()["depth-colour"].data
    files = {
        "hidden size": two_sizes(),
        "hidden size that is allowed": two_sizes(48),
        "text": text_bomb(chunks=900),
        "profile": text_bomb(b"iCCP", chunks=1, megabytes=64),
        "64 scans": scan_bomb(64, 64),
        "65 scans": scan_bomb(64, 65),
        "segments": jpeg[:2] + b"\xff\xfe\0\2" * 1_000_000 + jpeg[2:],
        "grey": cheap_png(10_000, 1, 0),
        **{name: data for name, (_, data) in refused_formats().items()},
    }
    paths = [tmp_path / name for name in files]
    for path, data in zip(paths, files.values(), strict=True):
        path.write_bytes(data)
    out = tmp_path / "out"
    out.mkdir()
    result = build.run("crnn_dump", list_of(paths, tmp_path / "in"), out, megabytes=600)
    assert result.returncode == 1, result
    read = {"hidden size that is allowed", "text", "profile", "64 scans"}
    for i, path in enumerate(paths):
        data = (out / str(i)).read_bytes()
        assert data == seen_by_python(path, ARTIFACT.preprocessing), path.name
        assert bool(data) == (path.name in read), path.name
    assert "hidden size: 30000 x 30000 pixels, more than 67108864 pixels in all" in result.stderr
    assert "a.gif: neither a PNG nor a JPEG image" in result.stderr


def test_damaged_images_crash_nothing_and_are_unreadable_where_they_are_for_python(
    build: Build, tmp_path: Path
) -> None:
    paths = write_damaged(tmp_path / "images")
    out = tmp_path / "out"
    out.mkdir()
    result = build.run("crnn_dump", list_of(paths, tmp_path / "in"), out)
    assert result.returncode == 1, result
    expected = [seen_by_python(path, ARTIFACT.preprocessing) for path in paths]
    assert 100 < sum(not data for data in expected) < len(expected) - 100
    for i, (path, data) in enumerate(zip(paths, expected, strict=True)):
        assert (out / str(i)).read_bytes() == data, path.name
        assert (f"stays empty: {path}: " in result.stderr) == (not data), path.name


def fake_logits(images: np.ndarray, steps: int, classes: int) -> np.ndarray:
    """What the stand-in for Lite computes from images (N, 3, H, W): (T, N, C)."""
    height, width = images.shape[2:]
    t, c = np.arange(steps)[:, None], np.arange(classes)
    pixels = images[:, c % 3, (7 * c + t) % height, t * width // steps]  # (N,T,C)
    return pixels.transpose(1, 0, 2)


@pytest.mark.parametrize(
    ("model", "batch_size", "used"),
    [
        ("-1 32 -1 24 37 float32", 3, 3),
        ("-1 32 100 24 37 float16", 16, 16),
        ("2 32 100 24 37 float32", 5, 2),
    ],
)
def test_each_image_gets_its_logits_and_its_text(
    build: Build, tmp_path: Path, model: str, batch_size: int, used: int
) -> None:
    paths = write_images(tmp_path / "images")
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG")
    paths.insert(4, tmp_path / "images" / "broken.png")
    inputs = listed(paths, tmp_path / "in")
    mindir = tmp_path / "m.mindir"
    mindir.write_text(f"fake_lite {model}")
    result = build.run(
        "crnn_infer",
        f"--mindir={mindir}",
        f"--inputs={tmp_path / 'in' / 'inputs.txt'}",
        f"--result_dir={tmp_path / 'results'}",
        f"--time_dir={tmp_path / 'times'}",
        f"--batch_size={batch_size}",
        f"--readings={tmp_path / 'readings.tsv'}",
        f"--config_file={mindir}",
        "--device_id=3",
        "--precision_mode=enforce_fp32",
    )
    count = len(paths) - 1
    assert result.returncode == 1, result
    assert "warning: 1 images could not be read" in result.stderr
    assert result.stdout.splitlines() == [
        f"fake Lite: config {mindir}",
        "fake Lite: Ascend 3 enforce_fp32",
        f"{count} of {count + 1} images inferred, batch size {used}",
    ]
    texts = []
    for path, (name, listed_path) in zip(paths, inputs.images, strict=True):
        data = (tmp_path / "results" / name).read_bytes()
        if path.stem == "broken":
            assert data == b""
            continue
        image = np.frombuffer(seen_by_python(path, ARTIFACT.preprocessing), np.float32).reshape(1, 3, 32, 100)
        logits = fake_logits(image, 24, 37)
        if model.endswith("float16"):
            logits = logits.astype(np.float16).astype(np.float32)
        assert data == logits.tobytes(), path.name
        (decoded,) = GreedyDecoder(Charset())(logits)
        texts.append(f"{listed_path}\t{decoded.text}")
    assert (tmp_path / "readings.tsv").read_text().splitlines() == texts
    timings = (tmp_path / "times" / "test_perform_static.txt").read_text().splitlines()
    assert timings[0].startswith("NN inference cost average time: ")
    assert timings[0].endswith(f" ms of infer_count {count}")
    assert timings[1] == f"batch size: {used}"
    assert timings[3] == "unreadable images: 1"


def test_classes_of_several_code_points_are_written_as_python_writes_them(
    build: Build, tmp_path: Path
) -> None:
    charset = Charset(("dž", "", "\U0001f1e9\U0001f1ea", *"\tbcdefghijklmnopqrstuvwxyz012345", " "))
    assert charset.num_classes == 37
    write_folder(tmp_path / "words", WORDS)
    source = load_samples("folder", str(tmp_path / "words"))
    inputs = write_inputs(str(tmp_path / "in"), source, Artifact(charset, Preprocessing(), NetworkSpec()))
    mindir = tmp_path / "m.mindir"
    mindir.write_text("fake_lite -1 32 -1 24 37 float32")
    result = build.run(
        "crnn_infer",
        f"--mindir={mindir}",
        f"--inputs={tmp_path / 'in' / 'inputs.txt'}",
        f"--result_dir={tmp_path / 'results'}",
        f"--time_dir={tmp_path / 'times'}",
        f"--readings={tmp_path / 'readings.tsv'}",
    )
    assert result.returncode == 0, result
    texts = []
    for name, _ in inputs.images:
        logits = np.frombuffer((tmp_path / "results" / name).read_bytes(), np.float32).reshape(24, 1, 37)
        texts.append(GreedyDecoder(charset)(logits)[0].text)
    assert any(set("ž\U0001f1e9") & set(text) for text in texts)
    assert any("\t" in text for text in texts)
    cells = [text.replace("\t", " ") for text in texts]
    lines = [f"{path}\t{cell}" for (_, path), cell in zip(inputs.images, cells, strict=True)]
    assert (tmp_path / "readings.tsv").read_text(encoding="utf-8").split("\n") == [*lines, ""]


@pytest.mark.parametrize(
    ("model", "change", "options", "message"),
    [
        ("no model", None, [], "m.mindir: cannot be built for Ascend; for Ascend, a network with LSTM must"),
        (
            "fake_lite 1 48 100 24 37 float32",
            None,
            [],
            "input is (1, 3, 48, 100), but its description promises",
        ),
        ("fake_lite 1 32 100 24 40 float32", None, [], "gives 960 values for 1 images, but its description"),
        ("fake_lite -1 32 -1 24 37 float32", ("height 32", "height 0"), [], "height is 0"),
        (
            "fake_lite -1 32 -1 24 37 float32",
            ("mean 127.5", "mean x"),
            [],
            "line 6: 'mean' has no proper value",
        ),
        (
            "fake_lite -1 32 -1 24 37 float32",
            ("std 127.5\n", "std 127.5\nstandardize yes\n"),
            [],
            "line 8: 'standardize' must be True or False",
        ),
        ("fake_lite -1 32 -1 24 37 float32", ("images 8", "images 9"), [], "the list ends here"),
        ("fake_lite -1 32 -1 24 37 float32", ("\t", " "), [], "expected 'RESULT<tab>IMAGE'"),
        (
            "fake_lite -1 32 -1 24 37 float32",
            ("characters 97", "characters 1114112"),
            [],
            "expected code points",
        ),
        ("fake_lite -1 32 -1 24 37 float32", ("\n0_0", "\n../0_0"), [], "expected 'RESULT<tab>IMAGE'"),
        ("fake_lite -1 32 -1 24 37 float32", None, ["--batch_size=0"], "batch_size is '0', must be a whole"),
        ("fake_lite -1 32 -1 24 37 float32", None, ["--device_type=GPU"], "device_type is 'GPU'"),
        ("fake_lite -1 32 -1 24 37 float32", None, ["--bach_size=1"], "unknown option '--bach_size=1'"),
        ("fake_lite -1 32 -1 24 37 float32", None, ["--mindir=gone"], "no such file: gone"),
        ("fake_lite -1 32 -1 24 37 float32", None, ["--inputs=gone"], "gone: cannot be opened"),
        ("fake_lite -1 32 -1 24 37 float32", None, ["--result_dir=/dev/null/x"], "/dev/null/x: "),
        ("fake_lite -1 32 -1 24 37 float32", None, ["--readings=/dev/full"], "/dev/full: cannot be written"),
    ],
)
def test_a_mistake_is_named(
    build: Build, tmp_path: Path, model: str, change: tuple[str, str] | None, options: list[str], message: str
) -> None:
    images = write_folder(tmp_path / "words", WORDS)
    listed([images / f"{i}.png" for i in range(8)], tmp_path / "in")
    list_file = tmp_path / "in" / "inputs.txt"
    if change:
        list_file.write_text(list_file.read_text().replace(*change, 1))
    (tmp_path / "m.mindir").write_text(model)
    folders = [f"--result_dir={tmp_path / 'results'}", f"--time_dir={tmp_path / 'times'}"]
    given = [f"--mindir={tmp_path / 'm.mindir'}", f"--inputs={list_file}", *folders, *options]
    result = build.run("crnn_infer", *given)
    assert result.returncode == 2, result
    assert result.stderr.startswith("error: ")
    assert message in result.stderr


def test_the_script_builds_infers_and_computes_the_accuracy(build: Build, tmp_path: Path) -> None:
    data = write_folder(tmp_path / "words", WORDS)
    # Two words are labelled with what the stand-in reads, so that they count as right.
    texts = list(WORDS)
    for i in (1, 4):
        image = preprocess(word_image(WORDS[i]), ARTIFACT.preprocessing)[None]
        texts[i] = GreedyDecoder(Charset())(fake_logits(image, 24, 37))[0].text
    (data / "labels.tsv").write_text("".join(f"{i}.png\t{text}\n" for i, text in enumerate(texts)))
    (tmp_path / "m.mindir").write_text("fake_lite -1 32 -1 24 37 float32")
    (tmp_path / "m.json").write_text(ARTIFACT.to_json())
    result = subprocess.run(
        ["bash", str(ROOT / "scripts" / "run_infer_310.sh"), "m.mindir", str(data), str(data), "folder", "2"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHON": sys.executable,
            "LITE_HOME": str(build.lite_home),
            "BUILD_DIR": str(build.folder),
            "INFER_OPTIONS": "--batch_size=3 --readings=readings.tsv",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result
    assert "fake Lite: Ascend 2 default\n8 of 8 images inferred, batch size 3\n" in result.stdout
    source = load_samples("folder", str(data))
    readings = []
    for i in range(8):
        image = preprocess(word_image(WORDS[i]), ARTIFACT.preprocessing)[None]
        (decoded,) = GreedyDecoder(Charset())(fake_logits(image, 24, 37))
        readings.append(ImageReading(i, source.name(i), source.text(i), decoded))
    expected = compare_readings(readings, "greedy", create_protocol("auto", Charset()))
    assert expected.accuracy.correct == 2
    assert "\n".join(expected.lines()) in (tmp_path / "acc.log").read_text()
    assert [line.split("\t")[1] for line in (tmp_path / "readings.tsv").read_text().splitlines()] == [
        r.reading.text for r in readings if r.reading
    ]


# --- hostile lists, names and links ---


def infer_list(build: Build, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Runs crnn_infer with the stand-in's model over the list in a folder."""
    (folder / "model.mindir").write_text("fake_lite -1 32 -1 24 37 float32")
    return build.run(
        "crnn_infer",
        f"--mindir={folder / 'model.mindir'}",
        f"--inputs={folder / 'inputs.txt'}",
        f"--result_dir={folder / 'out'}",
        f"--time_dir={folder / 'time'}",
        "--device_type=CPU",
        *more,
    )


@pytest.mark.parametrize(
    ("line", "other", "message"),
    [
        ("width 100", "width 2147483647", "pixels, more than 4194304"),
        ("height 32", "height 99999999999", "'height' has no proper value"),
        ("mean 127.5", "mean nan", "'mean' has no proper value"),
        ("std 127.5", "std 1e300", "mean and std must be finite"),  # beyond float32
        ("images 1", "images 99999999999", "the list ends here"),
    ],
)
def test_numbers_of_a_list_have_a_range(
    build: Build, tmp_path: Path, line: str, other: str, message: str
) -> None:
    image = tmp_path / "a.png"
    cv2.imwrite(str(image), np.zeros((32, 100, 3), np.uint8))
    listed([image], tmp_path / "list")
    text = (tmp_path / "list" / "inputs.txt").read_text()
    assert f"{line}\n" in text
    (tmp_path / "list" / "inputs.txt").write_text(text.replace(f"{line}\n", f"{other}\n"))
    done = infer_list(build, tmp_path / "list")
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("result", ["../a.bin", "/tmp/a.bin", "a/b.bin", "..", "."])
def test_a_result_is_a_name_and_no_path(build: Build, tmp_path: Path, result: str) -> None:
    image = tmp_path / "a.png"
    cv2.imwrite(str(image), np.zeros((32, 100, 3), np.uint8))
    listed([image], tmp_path / "list")
    text = (tmp_path / "list" / "inputs.txt").read_text().replace("a_0.bin", result)
    (tmp_path / "list" / "inputs.txt").write_text(text)
    done = infer_list(build, tmp_path / "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not the name of a file" in done.stderr


def test_results_are_written_through_no_link(build: Build, tmp_path: Path) -> None:
    victim, images = tmp_path / "victim", [tmp_path / f"{name}.png" for name in "ab"]
    victim.write_bytes(b"mine")
    cv2.imwrite(str(images[0]), np.zeros((32, 100, 3), np.uint8))
    images[1].write_bytes(b"\x89PNG\r\n\x1a\n broken")
    listed(images, tmp_path / "list")
    (tmp_path / "list" / "out").mkdir()
    (tmp_path / "list" / "time").mkdir()
    places = [
        tmp_path / "list" / name for name in ("out/a_0.bin", "out/b_0.bin", "time/test_perform_static.txt")
    ]
    for place in places:
        place.symlink_to(victim)
    done = infer_list(build, tmp_path / "list")
    assert done.returncode == 1, done.stderr
    assert victim.read_bytes() == b"mine"
    assert not any(place.is_symlink() for place in places)


def test_a_name_cannot_steer_the_terminal(build: Build, tmp_path: Path) -> None:
    name = "\x1b]52;c;ZXZpbA==\x07\u202e\x9b2J"
    image = tmp_path / f"{name}.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    good = tmp_path / f"{name} good.png"
    cv2.imwrite(str(tmp_path / "plain.png"), np.zeros((32, 100, 3), np.uint8))
    (tmp_path / "plain.png").rename(good)
    listed([image, good], tmp_path / "list")
    done = infer_list(build, tmp_path / "list", f"--readings={tmp_path / 'readings'}")
    assert shown(str(image)) in done.stderr
    assert not set("\x1b\x07\u202e\x9b") & set(done.stderr + (tmp_path / "readings").read_text())
    assert shown(str(good)) in (tmp_path / "readings").read_text()
