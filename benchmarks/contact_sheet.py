"""Many words on one picture, to look at: rendered ones, those of folders, or both side by side.

    python benchmarks/contact_sheet.py SHEET.png SOURCE [SOURCE...] [--count 200] [--difficulty 1] [--as_seen]

A source is `render` (words straight from the renderer), `render:EFFECTS.yaml` (with these effects),
`render:EFFECTS.yaml:PHOTOS` (and blended with a folder of photographs), a folder of images (searched to any
depth), or `mixed:FOLDER,FOLDER` (images of several folders in turn). Two sources stand beside each other.
`--as_seen` shows the images as the network gets them. With options of `crnn train`, such as
`--task=lines`, what is rendered is what that training would render, and as wide.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.render_speed import renderer_of
from crnn_mindspore.data.preprocess import Preprocessing, to_uint8
from crnn_mindspore.errors import UserError

_CELL_HEIGHT, _SHEET_WIDTH = 52, 1056
_IMAGES = (".jpg", ".jpeg", ".png", ".bmp")


def _folder_images(folder: Path, count: int) -> list[np.ndarray]:
    if not folder.is_dir():
        raise UserError(f"the folder {folder} does not exist")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _IMAGES)
    random.Random(0).shuffle(paths)
    images = [cv2.imread(str(path)) for path in paths[: count * 2]]
    return [image for image in images if image is not None][:count]


def _images(source: str, count: int, difficulty: float, seed: int, training: list[str]) -> list[np.ndarray]:
    kind, _, given = source.partition(":")
    if kind == "render":
        effects, _, photos = given.partition(":")
        files = {"render_effects": effects, "render_photos": photos}
        own = [f"--{name}={value}" for name, value in files.items() if value]
        renderer, _ = renderer_of([*training, *own], seed)
        return [renderer.render(index, difficulty)[0] for index in range(count)]
    if source.startswith("mixed:"):
        folders = source.removeprefix("mixed:").split(",")
        parts = [_folder_images(Path(folder), -(-count // len(folders))) for folder in folders]
        return [image for group in zip(*parts, strict=False) for image in group][:count]
    return _folder_images(Path(source), count)


def _panel(images: Sequence[np.ndarray], size: Preprocessing, as_seen: bool) -> np.ndarray:
    """The images in rows, each scaled into its cell."""
    cell_width = round(1.32 * size.width)
    columns = max(1, _SHEET_WIDTH // cell_width)
    rows = -(-max(len(images), 1) // columns)
    panel = np.full((rows * _CELL_HEIGHT, columns * cell_width, 3), 255, dtype=np.uint8)
    for place, given in enumerate(images):
        image = to_uint8(given, size) if as_seen else given
        scale = min((cell_width - 4) / image.shape[1], (_CELL_HEIGHT - 4) / image.shape[0])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        shown = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)
        top, left = place // columns * _CELL_HEIGHT + 2, place % columns * cell_width + 2
        panel[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return panel


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the sheet; 0 on success, 2 when the user must mend something."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sheet")
    parser.add_argument("sources", nargs="+", metavar="SOURCE")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--difficulty", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--as_seen", action="store_true")
    args, training = parser.parse_known_args(argv)
    try:
        _, size = renderer_of(training, args.seed)
        sources = [
            _images(source, args.count, args.difficulty, args.seed, training) for source in args.sources
        ]
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    panels = [_panel(images, size, args.as_seen) for images in sources]
    height = max(panel.shape[0] for panel in panels)
    gap = np.zeros((height, 12, 3), dtype=np.uint8)
    parts: list[np.ndarray] = []
    for panel in panels:
        below = np.full((height - panel.shape[0], panel.shape[1], 3), 255, dtype=np.uint8)
        parts += [np.vstack([panel, below]), gap]
    cv2.imwrite(args.sheet, np.hstack(parts[:-1]))
    print(f"{sum(map(len, sources))} images on {args.sheet}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
