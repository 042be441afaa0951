"""What tests of all kinds share: running a program, word images on disk, tiny models in every format."""

import logging
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("GLOG_v", "3")  # read when MindSpore is imported: errors only
# Read when onnx is imported, which some tests do before MindSpore; see crnn_mindspore/artifacts/protobuf.py.
os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
# Read when onnxruntime is imported, which some tests do themselves; see engines/onnx_runtime.py.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import cv2
import numpy as np
import pytest

import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.guards.inside import allow_outside

VERSIONS = ("V1", "V2")
TINY_HIDDEN, TINY_SCALE = 8, 1 / 16  # 4, 8, 16, 16, 32, 32, 32 channels
WORDS = ("cat", "dog7", "moon", "river", "apple", "zinc", "book9", "sky")


def _missing_for_cpp() -> str:
    """What the tests of cpp_infer lack on this machine, "" if nothing."""
    for tool in ("cmake", "c++"):
        if shutil.which(tool) is None:
            return tool
    folders = ("/usr/include/opencv4", "/usr/local/include/opencv4", "/usr/include", "/usr/local/include")
    found = any(Path(folder, "opencv2/imgcodecs.hpp").is_file() for folder in folders)
    return "" if found else "OpenCV for C++"


MISSING_FOR_CPP = _missing_for_cpp()
if MISSING_FOR_CPP and os.environ.get("CPP_TESTS") == "required":
    raise RuntimeError(f"the C++ tests are required, but {MISSING_FOR_CPP} is missing")
collect_ignore = ["cpp"] if MISSING_FOR_CPP else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says that the C++ tests were left out, since nothing else shows it."""
    if MISSING_FOR_CPP:
        terminalreporter.write_line(f"tests/cpp left out: {MISSING_FOR_CPP} is missing")


TINY_NETWORK = ("--model_version=V2", f"--hidden_size={TINY_HIDDEN}", f"--channel_scale={TINY_SCALE}")

Main = Callable[[Sequence[str]], int]


@pytest.fixture(autouse=True)
def _links_stay_inside() -> Iterator[None]:
    """A command with --allow_outside allows it to its process."""
    yield
    allow_outside(False)


@contextmanager
def links_may_leave() -> Iterator[None]:
    """As under --allow_outside."""
    allow_outside(True)
    try:
        yield
    finally:
        allow_outside(False)


ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def default_signals() -> None:
    """For `preexec_fn`: a program hears signals, though the tests run under nohup or in the background."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


@dataclass(frozen=True)
class Outcome:
    """What a program gave back: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


Run = Callable[..., Outcome]


def assert_refused(outcome: Outcome, *parts: object) -> None:
    """Asserts status 2 and a message, not a traceback, that holds all the parts."""
    assert outcome.status == 2, outcome
    assert re.search(r"(^|[\r\n])(error|usage): ", outcome.err), outcome
    assert "Traceback" not in outcome.err + outcome.out
    for part in parts:
        assert str(part) in outcome.err, (part, outcome)


@dataclass(frozen=True)
class TinyModel:
    """One network with random parameters: as arrays and as a file in every format."""

    version: str
    weights: dict[str, np.ndarray]
    checkpoint: Path
    mindir: Path
    onnx: Path

    def file(self, ending: str) -> Path:
        return {"ckpt": self.checkpoint, "mindir": self.mindir, "onnx": self.onnx}[ending]


@pytest.fixture
def run_program(capsys: pytest.CaptureFixture[str]) -> Run:
    """Calls a program's `main` with options; says how it ended and what it printed."""

    def run(main: Main, *arguments: object) -> Outcome:
        capsys.readouterr()
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as exit_:  # argparse
            status = exit_.code
        printed = capsys.readouterr()
        return Outcome(status, printed.out, printed.err)

    return run


@pytest.fixture
def train_tiny(run_program: Run, tmp_path: Path) -> Run:
    """Trains the tiny V2 network in `tmp_path`; further options follow the ones that every test needs."""
    import train

    def run(*options: object) -> Outcome:
        folders = f"--save_checkpoint_path={tmp_path / 'ckpt'}", f"--output_dir={tmp_path / 'out'}"
        fixed = "--device_target=CPU", *TINY_NETWORK, "--batch_size=4", *folders
        return run_program(train.main, *fixed, *options)

    return run


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The messages that the package logs."""
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("crnn_mindspore")
    before = logger.handlers[:], logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    yield messages
    logger.handlers, logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def word_image(word: str, height: int = 40) -> np.ndarray:
    """Black letters on white, (height, as needed, 3) uint8."""
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, 2
    (width, _), _ = cv2.getTextSize(word, font, 1.0, thickness)
    image = np.full((height, width + 16, 3), 255, dtype=np.uint8)
    cv2.putText(image, word, (8, height - 12), font, 1.0, (0, 0, 0), thickness, cv2.LINE_AA)
    return image


def write_folder(root: Path, words: Sequence[str]) -> Path:
    """The `folder` layout: images and labels.tsv."""
    root.mkdir(parents=True, exist_ok=True)
    lines = []
    for i, word in enumerate(words):
        cv2.imwrite(str(root / f"{i}.png"), word_image(word))
        lines.append(f"{i}.png\t{word}\n")
    (root / "labels.tsv").write_text("".join(lines), encoding="utf-8")
    return root


def write_synth(root: Path, words: Sequence[str]) -> Path:
    """The MJSynth layout, the same words to train and to test on."""
    (root / "1").mkdir(parents=True, exist_ok=True)
    lines = []
    for i, word in enumerate(words):
        cv2.imwrite(str(root / "1" / f"{i}_{word}_{i}.jpg"), word_image(word))
        lines.append(f"./1/{i}_{word}_{i}.jpg {i}\n")
    for split in ("train", "test"):
        (root / f"annotation_{split}.txt").write_text("".join(lines), encoding="utf-8")
    (root / "lexicon.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return root


@pytest.fixture
def words_folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "words", WORDS)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TinyModel]:
    """V1 and V2 with random parameters, written as checkpoint, then exported by export.py."""
    from reference import random_weights

    import export
    from crnn_mindspore.artifacts.artifact import Artifact
    from crnn_mindspore.data.preprocess import Preprocessing
    from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
    from crnn_mindspore.text.charset import Charset
    from crnn_mindspore.training.checkpoints.checkpoint import save_checkpoint

    models = {}
    for version in VERSIONS:
        folder = tmp_path_factory.mktemp(f"tiny_{version}")
        channels = [int(c * TINY_SCALE) for c in (64, 128, 256, 256, 512, 512, 512)]
        weights = random_weights(37, TINY_HIDDEN, channels, version)
        artifact = Artifact(Charset(), Preprocessing(), NetworkSpec(version, TINY_HIDDEN, TINY_SCALE))
        checkpoint = folder / "tiny.ckpt"
        save_checkpoint(str(checkpoint), weights, artifact)
        for form in ("MINDIR", "ONNX"):
            options = [f"--ckpt_file={checkpoint}", f"--file_name={folder / 'tiny'}", f"--file_format={form}"]
            assert export.main([*options, "--device_target=CPU"]) == 0
        models[version] = TinyModel(
            version, weights, checkpoint, folder / "tiny.mindir", folder / "tiny.onnx"
        )
    return models


@pytest.fixture
def onnx(tiny_models: dict[str, TinyModel]) -> Path:
    """The tiny V2 model as ONNX."""
    return tiny_models["V2"].onnx


@pytest.fixture
def copied(tiny_models: dict[str, TinyModel], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of the tiny V2 model in a format ("ckpt", "mindir", "onnx"), free to be damaged."""

    def copy(ending: str) -> Path:
        source = tiny_models["V2"].file(ending)
        target = tmp_path / f"copy.{ending}"
        target.write_bytes(source.read_bytes())
        if ending == "mindir":
            target.with_suffix(".json").write_bytes(source.with_suffix(".json").read_bytes())
        return target

    return copy
