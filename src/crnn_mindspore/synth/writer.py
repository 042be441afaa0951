"""Rendered words as files in the MJSynth layout.

`annotation_train.txt` and `annotation_test.txt` hold lines `./2/3/78_Novel_52433.jpg 52433`; the number is
the line of the word in `lexicon.txt`, counted from 0. The word inside the file name is for people only:
characters that file systems dislike are left out of it.

Source: the layout of 90kDICT32px, Jaderberg et al. 2014, "Synthetic Data and Artificial Neural Networks for
Natural Scene Text Recognition".
"""

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2

from crnn_mindspore.data.sources.charset_file import resolve_charset
from crnn_mindspore.errors import UserError
from crnn_mindspore.progress_bar import progress_bar
from crnn_mindspore.synth.line_render import LineRenderer, create_line_renderer
from crnn_mindspore.synth.render import Renderer, create_renderer, difficulty_at
from crnn_mindspore.synth.render_loader import ImageRenderer
from crnn_mindspore.synth.workers import kill_workers, start_workers
from crnn_mindspore.text.charset import DEFAULT_CHARACTERS
from crnn_mindspore.whole_file import write_new

MARKER = "render_words.json"
_PER_FOLDER = 1000
_FOLDERS_PER_GROUP = 20
_CHUNK = 64
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class LineSpec:
    """What is peculiar to lines; as for `create_line_renderer`."""

    text_file: str | None = None
    length: str = ""
    rare: float = 0.3


@dataclass(frozen=True)
class WordSetSpec:
    """What to render; equal specs give equal files.

    Args:
        num_train: Training images.
        num_test: Test images, of held-out words; 0 holds none out.
        characters: The charset, or a .txt file of it.
        words_file: The user's words, or None.
        font_dir: The user's typefaces, or None.
        photo_dir: The user's photographs, or None.
        effects_file: The user's effects, or None.
        seed: Series of images.
        difficulty: Of the first and the last training image, 0..1; test images take the last.
        max_time_steps: Longest label for CTC.
        only_font_dir: Whether the user's typefaces alone are used.
        lines: Lines instead of words; None renders words.
    """

    num_train: int
    num_test: int
    characters: str = DEFAULT_CHARACTERS
    words_file: str | None = None
    font_dir: str | None = None
    photo_dir: str | None = None
    effects_file: str | None = None
    seed: int = 0
    difficulty: tuple[float, float] = (1.0, 1.0)
    max_time_steps: int = 24
    only_font_dir: bool = False
    lines: LineSpec | None = None

    def create_renderer(self, split: str) -> Renderer | LineRenderer:
        """The renderer of one split."""
        common: dict[str, Any] = {
            "charset": resolve_charset(self.characters),
            "font_dir": self.font_dir,
            "only_font_dir": self.only_font_dir,
            "photo_dir": self.photo_dir,
            "effects_file": self.effects_file,
            "seed": self.seed,
            "split": split,
            "max_time_steps": self.max_time_steps,
        }
        if self.lines is not None:
            return create_line_renderer(**common, **asdict(self.lines))
        return create_renderer(**common, words_file=self.words_file)


@dataclass(frozen=True)
class Summary:
    """What was written."""

    folder: str
    images: int
    words: int
    typefaces: int
    families: int
    seconds: float
    megabytes: float
    photographs: tuple[str, ...] = ()

    def __str__(self) -> str:
        rate = self.images / max(self.seconds, 1e-9)
        return (
            f"{self.images} images of {self.words} different words in {self.folder}\n"
            f"{self.typefaces} typefaces of {self.families} families, {rate:.0f} images a second, "
            f"{self.megabytes:.1f} MB" + "".join(f"\nphotographs: {line}" for line in self.photographs)
        )


def write_word_set(
    output_dir: str | Path, spec: WordSetSpec, num_workers: int = 1, overwrite: bool = False
) -> Summary:
    """Renders and writes a whole set.

    Args:
        output_dir: New or empty folder, or with `overwrite` an earlier output.
        spec: What to render.
        num_workers: Processes; changes nothing but the time.
        overwrite: Remove an earlier output of this function first.

    Raises:
        UserError: If a number is out of bounds, the folder holds other files, or nothing can be rendered.
    """
    for name, value, least in (
        ("num_train", spec.num_train, 0),
        ("num_test", spec.num_test, 0),
        ("num_train + num_test", spec.num_train + spec.num_test, 1),
        ("num_workers", num_workers, 1),
        ("seed", spec.seed, 0),
    ):
        if value < least:
            raise UserError(f"{name} is {value}, must be at least {least}")
    folder = Path(output_dir)
    check_folder(folder, overwrite)
    splits = [(s, n) for s, n in (("train", spec.num_train), ("test", spec.num_test)) if n]
    # Words are held out for test images; where none are wanted, all words are trained on.
    renderers = [spec.create_renderer(splits[0][0] if spec.num_test else "all")]
    renderers += [renderers[0].of_split(split) for split, _ in splits[1:]]
    clear_folder(folder)
    start = time.perf_counter()
    lexicon: dict[str, int] = {}
    total = spec.num_train + spec.num_test
    size = 0
    try:
        with progress_bar(total=total, unit="image", desc="render") as progress:
            for renderer, (split, count) in zip(renderers, splits, strict=True):
                images = encoded_images(renderer, spec.difficulty, split, count, num_workers)
                for written in _write_split(folder, split, images, spec, lexicon):
                    size += written
                    progress.update()
        write_new(folder / "lexicon.txt", "".join(f"{w}\n" for w in lexicon).encode())
        content = {"format": "mjsynth", "images": total, **asdict(spec)}
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_new(folder / MARKER, text.encode())
    except OSError as error:
        raise UserError(f"cannot write into --output_dir {folder}: {error.strerror or error}") from None
    fonts = renderers[0].fonts
    seconds = time.perf_counter() - start
    photos = renderers[0].photos
    said = tuple(photos.lines()) if photos else ()
    return Summary(
        str(folder), total, len(lexicon), len(fonts.faces), fonts.families, seconds, size / 1e6, said
    )


def _write_split(
    folder: Path,
    split: str,
    images: Iterator[tuple[bytes, str]],
    spec: WordSetSpec,
    lexicon: dict[str, int],
) -> Iterator[int]:
    """Writes the images of one split and its annotation file; yields the bytes of each image."""
    offset = 0 if split == "train" else spec.num_train
    lines = []
    for index, (data, label) in enumerate(images):
        word = lexicon.setdefault(label, len(lexicon))
        name = file_name(index + offset, label, word)
        path = folder / name
        if (index + offset) % _PER_FOLDER == 0 or index == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_new(path, data)
        lines.append(f"./{name} {word}\n")
        yield len(data)
    write_new(folder / f"annotation_{split}.txt", "".join(lines).encode())


def check_folder(folder: Path, overwrite: bool) -> None:
    """Whether the folder may be written.

    Raises:
        UserError: If it is a file, or holds files that are not an earlier output, or is one and `overwrite`
            is off.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output_dir {folder} is a file")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / MARKER).is_file():
        raise UserError(f"--output_dir {folder} holds other files; give a new folder")
    if not overwrite:
        raise UserError(f"--output_dir {folder} holds an earlier output; give --overwrite to replace it")


def clear_folder(folder: Path) -> None:
    """Makes the folder, and removes from it what `crnn render` writes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in folder.iterdir():
            if entry.is_dir() and (entry.name.isdigit() or entry.name in ("train", "test")):
                shutil.rmtree(entry)
            elif entry.name in ("annotation_train.txt", "annotation_test.txt", "lexicon.txt"):
                entry.unlink()
        write_new(folder / MARKER, b"{}\n")  # an interrupted run can be overwritten
    except OSError as error:
        raise UserError(f"cannot write --output_dir {folder}: {error.strerror or error}") from None


def file_name(number: int, label: str, word: int) -> str:
    """Path of an image under the output folder: group/folder/number_word_index.jpg."""
    folder = number // _PER_FOLDER
    shown = "".join(c for c in label if c.isascii() and c.isalnum())[:30] or "word"
    group, inner = folder // _FOLDERS_PER_GROUP + 1, folder % _FOLDERS_PER_GROUP + 1
    return f"{group}/{inner}/{number % _PER_FOLDER + 1}_{shown}_{word}.jpg"


def encoded_images(
    renderer: ImageRenderer, difficulty: tuple[float, float], split: str, count: int, num_workers: int
) -> Iterator[tuple[bytes, str]]:
    """JPEG bytes and labels in the order of the index.

    Args:
        renderer: Makes the images; with several processes it is sent to them.
        difficulty: Of the first and the last image; `test` takes the last for all.
        split: `train` or `test`.
        count: Images.
        num_workers: Processes.
    """
    first, last = difficulty
    chunks = []
    for start in range(0, count, _CHUNK):
        indices = range(start, min(start + _CHUNK, count))
        ramp = [difficulty_at(i, 0, max(count - 1, 1)) for i in indices]
        levels = [last if split == "test" else first + (last - first) * share for share in ramp]
        chunks.append((indices, levels))
    pool = start_workers(num_workers, _prepare, renderer) if num_workers > 1 else None
    if pool is None:
        for chunk in chunks:
            yield from _encode(renderer, *chunk)
        return
    try:
        for results in pool.map(_encode_chunk, chunks):
            yield from results
    except BrokenProcessPool:
        kill_workers()
        raise UserError(
            "a rendering process died; too little memory? --num_workers sets their number"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_worker: dict[str, ImageRenderer] = {}


def _prepare(renderer: ImageRenderer) -> None:
    _worker["renderer"] = renderer


def _encode_chunk(chunk: tuple[range, list[float]]) -> list[tuple[bytes, str]]:
    return _encode(_worker["renderer"], *chunk)


def _encode(renderer: ImageRenderer, indices: range, levels: list[float]) -> list[tuple[bytes, str]]:
    results = []
    for index, level in zip(indices, levels, strict=True):
        image, label = renderer.render(index, level)
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        results.append((data.tobytes(), label))
    return results
