"""From annotated photographs to word images: cropping, writing, and the account of both."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.converting.scene_text import DONT_CARE
from crnn_mindspore.data.converting.scenes import Points, Region, Scene
from crnn_mindspore.data.converting.word_output import WordOutput
from crnn_mindspore.data.image_io import UnreadableImageError, decode_image, read_image_file
from crnn_mindspore.data.sources.samples import MALFORMED, OUTSIDE_FOLDER, FilterReport
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import OutsideError, joined
from crnn_mindspore.progress_bar import progress_bar
from crnn_mindspore.shown import shown
from crnn_mindspore.text.codec import EMPTY_LABEL
from crnn_mindspore.text_file import require_folder

MISSING_IMAGE = "image missing"
UNREADABLE_IMAGE = "image unreadable"
BAD_BOX = "box outside the image or empty"
MARKED_UNREADABLE = "marked unreadable (###)"

_NAMES_SHOWN = 5


@dataclass
class Summary:
    """What a conversion read and wrote.

    Attributes:
        images: Images the annotation names.
        read: Images that were found and decoded.
        missing: Names of the images that are not there.
        unreadable: The images that could not be decoded, with the reason.
        words: Words the annotation holds.
        report: Words kept and dropped, by reason.
    """

    images: int = 0
    read: int = 0
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    words: int = 0
    report: FilterReport = field(default_factory=FilterReport)

    def lines(self) -> list[str]:
        """The summary for the user."""
        out = [
            f"images: {self.read:,} read of {self.images:,}, {len(self.missing):,} missing, "
            f"{len(self.unreadable):,} unreadable",
            f"words: {self.report.kept:,} written of {self.words:,}",
            *self.report.lines()[1:],
        ]
        if self.missing:
            names = ", ".join(self.missing[:_NAMES_SHOWN])
            more = len(self.missing) - _NAMES_SHOWN
            out.append(f"missing images: {shown(names)}" + (f" and {more:,} more" if more > 0 else ""))
        out.extend(f"unreadable: {name}" for name in self.unreadable[:_NAMES_SHOWN])
        return out


def convert(scenes: Sequence[Scene], images: str, output: WordOutput, report: FilterReport) -> Summary:
    """Writes every word of the scenes.

    A whole-image word is copied byte for byte; a boxed one is cropped, its box clamped to the image, and a
    quadrilateral straightened.

    Args:
        scenes: The annotated images.
        images: Folder the image names are relative to.
        output: Where the words go.
        report: The account of the annotation's reader, added to.

    Raises:
        UserError: If the folder does not exist, or none of the images is in it.
    """
    require_folder(images)
    malformed = report.num_dropped
    summary = Summary(images=len(scenes), report=report)
    summary.words = malformed + sum(len(scene.regions) for scene in scenes)
    for scene in progress_bar(scenes, desc="converting", unit="image"):
        _convert_scene(scene, images, output, summary)
    if scenes and len(summary.missing) == len(scenes):
        first = os.path.join(images, scenes[0].image)
        raise UserError(f"none of the {len(scenes):,} images is in {images!r} (first looked for: {first})")
    return summary


def _convert_scene(scene: Scene, images: str, output: WordOutput, summary: Summary) -> None:
    report = summary.report
    if "\n" in scene.image:
        report.drop(MALFORMED, repr(scene.image), max(1, len(scene.regions)))
        return
    try:
        name = joined("", scene.image)
    except OutsideError:
        report.drop(OUTSIDE_FOLDER, scene.image, max(1, len(scene.regions)))
        return
    path = os.path.join(images, name)
    if not os.path.isfile(path):
        summary.missing.append(name)
        if scene.regions:
            report.drop(MISSING_IMAGE, name, len(scene.regions))
        return
    try:
        data = read_image_file(path, images or os.curdir)
        # Boxes are given in the pixels of the file, whatever way up the camera says they are.
        image = decode_image(data, path, orient=False)
    except UnreadableImageError as error:
        summary.unreadable.append(str(error))
        if scene.regions:
            report.drop(UNREADABLE_IMAGE, name, len(scene.regions))
        return
    summary.read += 1
    for number, region in enumerate(scene.regions):
        where = f"{name} word {number} {region.label!r}"
        reason = _write_region(name, number, region, image, data, output)
        if reason is None:
            report.kept += 1
        else:
            report.drop(reason, where)


def _write_region(
    name: str, number: int, region: Region, image: npt.NDArray[np.uint8], data: bytes, output: WordOutput
) -> str | None:
    """Writes one word; returns the reason if it was not."""
    if not region.label:
        return EMPTY_LABEL
    if region.label == DONT_CARE:
        return MARKED_UNREADABLE
    if region.corners is None:
        output.add(name, data, region.label, region.lexicons)
        return None
    cropped = crop(image, region.corners)
    if cropped is None:
        return BAD_BOX
    output.add(crop_name(name, number, region.label), encode_jpeg(cropped), region.label, region.lexicons)
    return None


def crop(image: npt.NDArray[np.uint8], corners: Points) -> npt.NDArray[np.uint8] | None:
    """The part of an image inside two or four corners, None if nothing of it is in the image.

    Args:
        image: (H, W, 3) uint8.
        corners: Pixels; see `Region`.
    """
    height, width = image.shape[:2]
    if not all(math.isfinite(value) for point in corners for value in point):
        return None
    clamped = [(min(max(x, 0), width), min(max(y, 0), height)) for x, y in corners]
    if len(clamped) == 2:
        (left, top), (right, bottom) = clamped
        part = image[int(top) : int(bottom), int(left) : int(right)]
        return part if part.size else None
    points = np.array(clamped, dtype=np.float32)
    edges = np.linalg.norm(points - np.roll(points, -1, axis=0), axis=1)
    size = (round(float(max(edges[0], edges[2]))), round(float(max(edges[1], edges[3]))))
    if min(size) < 1 or cv2.contourArea(points) < 1:
        return None
    upright = np.array([(0, 0), (size[0], 0), size, (0, size[1])], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(points, upright)
    return cv2.warpPerspective(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def encode_jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    """The image as a JPEG of the highest quality, colour at full resolution."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, 100]
    flags += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", image, flags)[1].tobytes()


def crop_name(image: str, number: int, label: str) -> str:
    """A safe file name of a crop: `scene_3_LABEL.jpg`, of the label only letters and digits of ASCII."""
    stem = os.path.splitext(image)[0].replace("/", "_")
    safe = "".join(c for c in stem if c.isascii() and (c.isalnum() or c in "._-"))
    word = "".join(c for c in label if c.isascii() and c.isalnum())
    return f"{safe}_{number}_{word[:40]}.jpg"
