"""The picture of the README: example images, and under each what `crnn read` makes of it.

python scripts/readme_picture.py      # writes docs/words_read.png
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import src  # noqa: E402, F401 - makes the checkout's package importable
from crnn_mindspore import Recognizer  # noqa: E402

HEIGHT, WIDTH, TEXT, COLUMNS = 96, 380, 46, 3  # pixels of a picture, of a cell, of its text; cells in a row


def main() -> int:
    """Reads examples/*.png and draws the picture."""
    images = sorted(map(str, (ROOT / "examples").glob("*.png")))
    font = ImageFont.load_default(26)
    cells = []
    for image, result in zip(images, Recognizer.load()(images), strict=True):
        picture = cv2.cvtColor(cv2.imread(image), cv2.COLOR_BGR2RGB)
        width = min(WIDTH - 20, round(picture.shape[1] * HEIGHT / picture.shape[0]))
        cell = Image.new("RGB", (WIDTH, HEIGHT + TEXT + 16), "white")
        cell.paste(Image.fromarray(cv2.resize(picture, (width, HEIGHT))), (10, 6))
        ImageDraw.Draw(cell).text((10, HEIGHT + 12), f"{result.text}  {result.confidence:.2f}", "black", font)
        cells.append(np.asarray(cell))
    rows = [np.hstack(cells[k : k + COLUMNS]) for k in range(0, len(cells), COLUMNS)]
    Image.fromarray(np.vstack(rows)).quantize(64).save(ROOT / "docs" / "words_read.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
