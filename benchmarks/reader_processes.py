"""The readers that `other_readers.py` compares, each in a process of its own: `--reader NAME` of `READERS`.

All but this project's own need nothing of this project, so their interpreter may be another one.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.engines import serve

BYTES_PER_MB = 1e6


@dataclass(frozen=True)
class Facts:
    """What a reader is.

    Attributes:
        version: Of the program or package; of this project the model says enough.
        megabytes: The files of the model, 10^6 bytes; not the program that runs it.
        classes: Characters that it tells apart; 0: not known.
    """

    version: str
    megabytes: float
    classes: int


class MissingReaderError(Exception):
    """A reader is not installed; the message says what to install."""


class Reader(Protocol):
    """Reads images that show one word or line each."""

    facts: Facts

    def read(self, images: Sequence[bytes]) -> list[str]:
        """Encoded images -> their texts, in order."""


@dataclass(frozen=True)
class Setting:
    """What all readers of a run are told.

    Attributes:
        task: words or lines.
        model: Of this project.
        int8: The same model in int8, an ONNX file.
        threads: That may compute.
    """

    task: str
    model: str
    int8: str
    threads: int


class OwnReader:
    """This project's recogniser on ONNX Runtime.

    Args:
        model: A checkpoint or an ONNX file.
        decoder: Of `Decoding`; auto, and up to the width that the model's description names, for `crnn read`.
        threads: Of ONNX Runtime.
    """

    def __init__(self, model: str, decoder: str, threads: int) -> None:
        import src  # noqa: F401 - makes the checkout's package importable
        from crnn_mindspore.engines.backend import open_reader
        from crnn_mindspore.reading.recognizer import Recognizer
        from crnn_mindspore.text import word_frequencies
        from crnn_mindspore.text.decoding import AUTO, Decoding

        backend = open_reader(model, "CPU", onnx_threads=threads)
        artifact = backend.artifact
        # Measured at the one width of the training, as `crnn eval` does, unless the training had many.
        keep_ratio = None if decoder == AUTO or artifact.preprocessing.width_step else False
        reading = artifact.decoder(Decoding(decoder))
        self._recognizer = Recognizer(backend, decoder=reading, keep_ratio=keep_ratio)
        files = [Path(model)]
        if "prior" in reading.name:
            files += (Path(word_frequencies.__file__).parent / "frequencies").glob("*.gz")
        megabytes = sum(file.stat().st_size for file in files) / BYTES_PER_MB
        self.facts = Facts("", megabytes, len(artifact.codec.classes))

    def read(self, images: Sequence[bytes]) -> list[str]:
        return [result.text for result in self._recognizer(images)]


class Tesseract:
    """The program, one of a single thread for each core, which is faster than its own threads.

    Args:
        language: Of its data.
        layout: Its `--psm`: 8 for a word, 7 for a line.
        threads: Programs at a time.
    """

    def __init__(self, language: str, layout: int, threads: int) -> None:
        packages = ["tesseract-ocr"]  # comes with the data of English
        if language != "eng":
            packages.append(f"tesseract-ocr-{language.replace('_', '-')}")
        if shutil.which("tesseract") is None:
            raise MissingReaderError(f"apt-get install {' '.join(packages)}")
        listing = _output("tesseract", "--list-langs")
        folder = re.search(r'"(.+)"', listing)
        if folder is None or language not in listing.splitlines():
            raise MissingReaderError(f"apt-get install {packages[-1]}")
        self._options = ["-l", language, "--psm", str(layout)]
        self._programs = threads
        data = Path(folder[1]) / f"{language}.traineddata"
        version = " ".join(_output("tesseract", "--version").split()[:2])
        self.facts = Facts(version, data.stat().st_size / BYTES_PER_MB, _unicharset_size(data))

    def read(self, images: Sequence[bytes]) -> list[str]:
        texts: list[str] = [""] * len(images)
        with tempfile.TemporaryDirectory(prefix="tesseract_") as folder:
            paths = [Path(folder, f"{number:05d}.img") for number in range(len(images))]
            for path, image in zip(paths, images, strict=True):
                path.write_bytes(image)
            running = [
                (part, self._start(paths[part :: self._programs], Path(folder, f"part{part}")))
                for part in range(min(self._programs, len(paths)))
            ]
            for part, process in running:
                if process.wait():
                    raise SystemExit(f"tesseract ended with status {process.returncode}")
                pages = Path(folder, f"part{part}.txt").read_text(encoding="utf-8").split("\f")
                count = len(paths[part :: self._programs])
                if len(pages) == count + 1 and not pages[-1].strip():
                    pages.pop()  # versions differ in whether the last page ends in a form feed
                if len(pages) != count:
                    raise SystemExit(f"tesseract wrote {len(pages)} texts of {count} images")
                texts[part :: self._programs] = [page.strip() for page in pages]
        return texts

    def _start(self, paths: Sequence[Path], output: Path) -> "subprocess.Popen[bytes]":
        """One program for many images, whose start then does not count; writes `output`.txt."""
        names = output.with_suffix(".list")
        names.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        return subprocess.Popen(
            ["tesseract", str(names), str(output), *self._options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_THREAD_LIMIT": "1"},
        )


class PaddleReader:
    """The recognition of PP-OCR alone, by rapidocr on ONNX Runtime.

    Args:
        package: Whose wheel holds the model.
        file: The model in it.
        is_padded: As rapidocr reads by itself: an image at a time, padded to 320 x 48. False: six of like
            ratio at a time, padded to the longest of them.
        threads: Of ONNX Runtime.
    """

    def __init__(self, package: str, file: str, is_padded: bool, threads: int) -> None:
        found = importlib.util.find_spec(package)
        if importlib.util.find_spec("rapidocr") is None or importlib.util.find_spec("onnxruntime") is None:
            raise MissingReaderError("pip install rapidocr onnxruntime")
        if found is None or found.origin is None:
            raise MissingReaderError(f"pip install {package.replace('_', '-')}")
        model = Path(found.origin).parent / "models" / file
        if not model.is_file():
            raise MissingReaderError(f"{package}'s wheel holds no {file}: another version of it")
        from rapidocr import RapidOCR

        self._is_padded = is_padded
        self._reader = RapidOCR(
            params={
                "Global.log_level": "error",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "Rec.model_path": str(model),
                "Rec.rec_img_shape": [3, 48, 320 if is_padded else 48],  # the narrowest that is read
            }
        )
        loaded = self._reader._load_rec_model()
        blank = 1
        classes = len(loaded.postprocess_op.character) - blank
        version = importlib.metadata.version("rapidocr")
        self.facts = Facts(f"rapidocr {version}", model.stat().st_size / BYTES_PER_MB, classes)

    def read(self, images: Sequence[bytes]) -> list[str]:
        if self._is_padded:
            results = [self._reader(image, use_det=False, use_cls=False) for image in images]
            return [result.txts[0] if result.txts else "" for result in results]
        decoded = [self._reader.preprocess_img(self._reader.load_img(image))[0] for image in images]
        return list(self._reader.recognize_txt(decoded).txts)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _unicharset_size(data: Path) -> int:
    """How many classes the file names; 0 without the program that takes it apart."""
    if shutil.which("combine_tessdata") is None:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder, "data.lstm-unicharset")
        _output("combine_tessdata", "-e", str(data), str(part))
        return int(part.read_text(encoding="utf-8").split()[0])


OWN, OWN_INT8 = "ours", "ours, int8"
TESSERACT = {"words": ("eng", 8), "lines": ("chi_sim", 7)}  # task -> data, layout
_V4 = ("rapidocr_onnxruntime", "ch_PP-OCRv4_rec_infer.onnx")
_V6 = ("rapidocr", "PP-OCRv6_rec_small.onnx")

# Name in the table -> what makes it.
READERS: dict[str, Callable[[Setting], Reader]] = {
    f"{OWN}, greedy": lambda s: OwnReader(s.model, "greedy", s.threads),
    f"{OWN}, word prior": lambda s: OwnReader(s.model, "prior", s.threads),
    f"{OWN}, as `crnn read` reads": lambda s: OwnReader(s.model, "auto", s.threads),
    f"{OWN_INT8}, greedy": lambda s: OwnReader(s.int8, "greedy", s.threads),
    f"{OWN_INT8}, as `crnn read` reads": lambda s: OwnReader(s.int8, "auto", s.threads),
    "Tesseract 5": lambda s: Tesseract(*TESSERACT[s.task], s.threads),
    "PP-OCRv4 mobile": lambda s: PaddleReader(*_V4, True, s.threads),
    "PP-OCRv4 mobile, six at a time": lambda s: PaddleReader(*_V4, False, s.threads),
    "PP-OCRv6 small": lambda s: PaddleReader(*_V6, True, s.threads),
    "PP-OCRv6 small, six at a time": lambda s: PaddleReader(*_V6, False, s.threads),
}
WITH_RAPIDOCR = [name for name in READERS if name.startswith("PP-OCR")]


def main(argv: Sequence[str] | None = None) -> int:
    """Answers `other_readers.py` until it has no more requests; 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reader", required=True, choices=READERS)
    parser.add_argument(
        "--images", required=True, help="folder of encoded images, read in the order of names"
    )
    parser.add_argument("--task", required=True, choices=TESSERACT)
    parser.add_argument("--model", default="")
    parser.add_argument("--int8", default="")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--answer_fd", type=int, required=True)
    args = parser.parse_args(argv)
    setting = Setting(args.task, args.model, args.int8, args.threads)
    return serve(args.answer_fd, handlers(lambda: READERS[args.reader](setting), Path(args.images)))


def handlers(create: Callable[[], Reader], folder: Path) -> dict[str, Callable[..., dict[str, Any]]]:
    """What a reader's process answers: `prepare` with its facts or what is missing, `read` with the texts."""
    images = [path.read_bytes() for path in sorted(folder.iterdir())]
    opened: list[Reader] = []

    def prepare() -> dict[str, Any]:
        try:
            opened.append(create())
        except MissingReaderError as error:
            return {"missing": str(error)}
        return asdict(opened[0].facts)

    def read(numbers: Sequence[int]) -> dict[str, Any]:
        wanted = [images[number] for number in numbers]
        start = time.perf_counter()
        texts = opened[0].read(wanted)
        return {"seconds": time.perf_counter() - start, "texts": texts}

    return {"prepare": prepare, "read": read}


if __name__ == "__main__":
    sys.exit(main())
