"""Small photographs and annotations in the official forms, for the tests of the converters."""

from pathlib import Path

import cv2
import numpy as np

from crnn_mindspore.data.readers.registry import load_samples


def gradient(height: int = 60, width: int = 100) -> np.ndarray:
    """Column x has blue x, row y has green y: a crop shows where it was cut."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 0] = np.arange(width)
    image[..., 1] = np.arange(height)[:, None]
    return image


def write_image(path: Path, image: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), gradient() if image is None else image)
    return path


def rectangle(tag: str, x: float = 10, y: float = 5, width: float = 40, height: float = 20) -> str:
    box = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    return f"<taggedRectangle {box}><tag>{tag}</tag></taggedRectangle>"


def scene(name: str, *rectangles: str, lex: str = "") -> str:
    lexicon = f"<lex>{lex}</lex>" if lex else ""
    return (
        f"<image><imageName>{name}</imageName>{lexicon}<Resolution x='100' y='60'/>"
        f"<taggedRectangles>{''.join(rectangles)}</taggedRectangles></image>"
    )


def write_xml(path: Path, *scenes: str) -> str:
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><tagset>{"".join(scenes)}</tagset>', encoding="utf-8"
    )
    return str(path)


def labels_of(name: str, folder: Path, lexicon: str | None = None) -> list[str]:
    source = load_samples(name, str(folder), lexicon=lexicon)
    return [source.text(i) for i in range(len(source))]
