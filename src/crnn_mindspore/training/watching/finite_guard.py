"""Stops a training whose numbers are not finite, and keeps the batch for people to look at."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.loading.loader import Batch
from crnn_mindspore.data.preprocess import GREY, RGB, Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.whole_file import write_new

_NAMES_SHOWN = 3


class FiniteGuard:
    """Looks at every batch before its update, and at the loss and gradients behind it.

    Args:
        folder: Batches are kept in `folder`/bad_batch_STEP; None keeps none.
        suffix: Of that name, for a process of several.
        preprocessing: Turns network input back into pictures.
    """

    def __init__(
        self,
        folder: Path | None = None,
        preprocessing: Preprocessing | None = None,
        suffix: str = "",
    ) -> None:
        self._folder = folder
        self._suffix = suffix
        self._preprocessing = preprocessing or Preprocessing()

    def check_images(self, step: int, batch: Batch) -> None:
        """Finds pixels that are no numbers while the weights are still good.

        The loss would not tell: such a pixel spoils weights and batch norm, and yet the loss may be finite.

        Args:
            step: Number of the update, from 1.
            batch: What the network is about to see.

        Raises:
            UserError: Naming the images.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            total = float(batch.images.sum())
        if math.isfinite(total):
            return
        bad = ~np.isfinite(batch.images).all(axis=(1, 2, 3))  # (N,)
        if not bad.any():
            return  # only the sum was too large
        names = [name for name, is_bad in zip(batch.names, bad, strict=True) if is_bad]
        kept = self._keep(step, batch, bad, {"reason": "pixels are not finite"})
        raise UserError(
            f"step {step}: image {_listed(names)} contains NaN or infinite pixels; training stops before "
            "they spoil the weights. The file, its decoding or an augmentation is broken, not the training."
            f"{kept}"
        )

    def check_update(self, step: int, batch: Batch, loss: float, norm: float, learning_rate: float) -> None:
        """Finds that the network has diverged; its weights are lost by then.

        Args:
            step: Number of the update, from 1.
            batch: What it was made on.
            loss: Before the update.
            norm: Of the gradients, before clipping.
            learning_rate: Of the update.

        Raises:
            UserError: Naming the step, the learning rate and the first images.
        """
        if math.isfinite(loss) and math.isfinite(norm):
            return
        facts = {
            "reason": "loss or gradients are not finite",
            "loss": str(loss),
            "gradient_norm": str(norm),
            "learning_rate": learning_rate,
        }
        kept = self._keep(step, batch, np.zeros(len(batch), dtype=bool), facts)
        raise UserError(
            f"step {step}: loss {loss}, gradient norm {norm} at learning rate {learning_rate:g}; not finite, "
            f"training stops. Images of the batch: {_listed(batch.names)}.{kept} Its pixels are all finite: "
            "the network has diverged. Its weights are not saved, checkpoints saved before are untouched. "
            "Try a --learning_rate 3 to 10 times lower, a warm-up, --clip_norm=10."
        )

    def _keep(self, step: int, batch: Batch, bad: npt.NDArray[np.bool_], facts: dict[str, object]) -> str:
        """Writes the batch; returns a sentence that says where."""
        if self._folder is None:
            return ""
        folder = self._folder / f"bad_batch_{step}{self._suffix}"
        try:
            save_batch(folder, batch, self._preprocessing, bad, {"step": step, **facts})
        except OSError as error:
            return f" The batch cannot be kept in {folder}: {error.strerror}."
        return f" The batch is kept in {folder}."


def save_batch(
    folder: Path,
    batch: Batch,
    preprocessing: Preprocessing,
    bad: npt.NDArray[np.bool_],
    facts: dict[str, object],
) -> None:
    """Writes the images as PNG, as the network saw them, and batch.json with the rest.

    Args:
        folder: Made when needed.
        batch: What to write.
        preprocessing: What the images were normalised with.
        bad: (N,) whether an image holds pixels that are not finite; these are written black.
        facts: Go to batch.json as they are.

    Raises:
        OSError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for n in range(len(batch)):
        image = denormalize(batch.images[n], preprocessing)
        file = folder / f"{n:04d}.png"
        write_new(file, cv2.imencode(".png", image)[1].tobytes())
        length = int(batch.target_lengths[n])
        samples.append(
            {
                "file": file.name,
                "name": batch.names[n],
                "text": batch.texts[n],
                "target": batch.targets[n, :length].tolist(),
                "finite_pixels": not bool(bad[n]),
            }
        )
    text = json.dumps({**facts, "samples": samples}, ensure_ascii=False, indent=2)
    write_new(folder / "batch.json", text.encode("utf-8", errors="backslashreplace"))


def denormalize(image: npt.NDArray[np.float32], p: Preprocessing) -> npt.NDArray[np.uint8]:
    """The picture behind a network input, (C, H, W) float32 -> (H, W, 3) uint8 BGR; see `normalize`.

    The mean and deviation of a standardised image are lost: it gets 127.5 and a deviation of 64.
    """
    mean, std = (127.5, 64.0) if p.standardize else (p.mean, p.std)
    values = np.where(np.isnan(image), -np.inf, image.astype(np.float64)) * std + mean
    pixels = np.rint(np.clip(values, 0, 255)).astype(np.uint8).transpose(1, 2, 0)  # (3,H,W) -> (H,W,3)
    if p.channel_order == GREY:
        return np.repeat(pixels, 3, axis=2)
    return pixels[:, :, ::-1] if p.channel_order == RGB else pixels


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    return shown + (", ..." if len(names) > _NAMES_SHOWN else "")
