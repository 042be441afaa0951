"""Images of every kind, and what is left of them once they are damaged."""

import os
import random
from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def write_images(folder: Path) -> list[Path]:
    """An image of every kind that a PNG or JPEG can hold, and of some other formats."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (47, 131, 4), dtype=np.uint8), (5, 5), 2)
    rgb, rgba = Image.fromarray(smooth[:, :, :3]), Image.fromarray(smooth)
    grey, palette = rgb.convert("L"), rgb.quantize(200)
    deep = rng.integers(0, 65536, (40, 90, 4), dtype=np.uint16)
    for name, image in {"grey": grey, "rgb": rgb, "rgba": rgba, "la": rgba.convert("LA")}.items():
        image.save(folder / f"{name}.png")
    rgb.convert("1").save(folder / "bit.png")
    palette.save(folder / "palette.png")
    palette.save(folder / "palette_alpha.png", transparency=bytes(range(200)))
    rgb.save(folder / "rgb_key.png", transparency=tuple(map(int, smooth[5, 5, :3])))
    grey.save(folder / "grey_key.png", transparency=int(np.array(grey)[3, 3]))
    rgb.save(folder / "animated.png", save_all=True, append_images=[rgb.rotate(180)])
    for name, channels in {"grey16": deep[:, :, 0], "rgb16": deep[:, :, :3], "rgba16": deep}.items():
        cv2.imwrite(str(folder / f"{name}.png"), channels)
    for subsampling in range(3):
        rgb.save(folder / f"s{subsampling}.jpg", subsampling=subsampling)
        rgb.save(folder / f"p{subsampling}.jpg", subsampling=subsampling, progressive=True)
    grey.save(folder / "grey.jpg")
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        rgb.save(folder / f"turned{orientation}.jpg", exif=exif)
        rgba.save(folder / f"turned{orientation}.png", exif=exif)
    for ending in ("bmp", "webp", "tiff"):
        rgb.save(folder / f"other.{ending}")
    Image.fromarray(smooth[:5, :1, :3]).save(folder / "thin.png")
    Image.fromarray(rng.integers(0, 256, (300, 900, 3), dtype=np.uint8)).save(folder / "large.png")
    Image.fromarray(rng.integers(0, 256, (32, 100, 3), dtype=np.uint8)).save(folder / "fitting.png")
    return sorted(folder.iterdir())


def write_damaged(folder: Path) -> list[Path]:
    """Some 600 files: damaged in many ways, no images at all, no files at all; some can still be read."""
    rng = random.Random(1)
    paths = []
    for path in write_images(folder):
        if path.suffix in (".png", ".jpg"):
            for k in range(16):
                paths.append(path.with_name(f"{path.stem}{path.suffix[1:]}_{k}"))
                paths[-1].write_bytes(damaged(path.read_bytes(), rng, k % 4))
    odd = {
        "empty": b"",
        "text": b"hello" * 100,
        "start": b"\xff\xd8\xff",
        "signature": b"\x89PNG\r\n\x1a\n",
        "fill": b"\xff\xd8" + b"\xff" * 1000,
        "huge": b"\x89PNG\r\n\x1a\n"
        + b"\0\0\0\rIHDR"
        + b"\0\1\0\0" * 2
        + b"\x08\x02\0\0\0"
        + b"\0\0\0\0IEND",
    }
    for name, data in odd.items():
        paths.append(folder / name)
        paths[-1].write_bytes(data)
    os.mkfifo(folder / "pipe")
    paths += [folder / "pipe", folder, folder / "missing.png"]
    return paths


def damaged(data: bytes, rng: random.Random, kind: int) -> bytes:
    """Bytes changed, cut off at the end, spoilt in the header, or missing in the middle."""
    changed = bytearray(data)
    if kind == 0:
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == 1:
        del changed[rng.randrange(len(data)) :]
    elif kind == 2:
        for _ in range(3):
            changed[rng.randrange(min(120, len(data)))] = rng.choice((0, 1, 127, 128, 255))
    else:
        start = rng.randrange(len(data))
        del changed[start : start + rng.randrange(1, 200)]
    return bytes(changed)
