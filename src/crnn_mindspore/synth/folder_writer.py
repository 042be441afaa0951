"""Images of any task's renderer as files in the layout `folder`: train/labels.tsv, test/labels.tsv."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.progress_bar import progress_bar
from crnn_mindspore.synth.render_loader import ImageRenderer
from crnn_mindspore.synth.writer import MARKER, check_folder, clear_folder, encoded_images
from crnn_mindspore.whole_file import write_new

_PER_FOLDER = 1000


def write_folders(
    output_dir: str | Path,
    splits: Mapping[str, tuple[ImageRenderer, int]],
    difficulty: tuple[float, float] = (1.0, 1.0),
    num_workers: int = 1,
    overwrite: bool = False,
) -> str:
    """Renders and writes a set; returns what was written, for people.

    Args:
        output_dir: New or empty folder, or with `overwrite` an earlier output.
        splits: `train` and `test`, each with what makes its images and how many there are.
        difficulty: Of the first and the last training image, 0..1; test images take the last.
        num_workers: Processes; changes nothing but the time.
        overwrite: Remove an earlier output first.

    Raises:
        UserError: If the folder holds other files or cannot be written, or there is nothing to render.
    """
    total = sum(count for _, count in splits.values())
    if total < 1 or num_workers < 1:
        raise UserError(
            f"num_train + num_test is {total}, num_workers {num_workers}; each must be at least 1"
        )
    folder = Path(output_dir)
    check_folder(folder, overwrite)
    clear_folder(folder)
    start, labels = time.perf_counter(), set()
    try:
        with progress_bar(total=total, unit="image", desc="render") as progress:
            for split, (renderer, count) in splits.items():
                lines = []
                images = encoded_images(renderer, difficulty, split, count, num_workers)
                for index, (data, label) in enumerate(images):
                    path = folder / split / str(index // _PER_FOLDER) / f"{index}.jpg"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_new(path, data)
                    lines.append(f"{path.relative_to(folder / split)}\t{label}\n")
                    labels.add(label)
                    progress.update()
                text = "".join(lines)
                write_new(folder / split / "labels.tsv", text.encode())
        content = json.dumps({"format": "folder", "images": total}) + "\n"
        write_new(folder / MARKER, content.encode())
    except OSError as error:
        raise UserError(f"cannot write into --output_dir {folder}: {error.strerror or error}") from None
    rate = total / max(time.perf_counter() - start, 1e-9)
    return f"{total} images of {len(labels)} different labels in {folder}, {rate:.0f} images a second"
