"""The text annotations of ICDAR 2013 and 2015: word images (task 3) and scenes with boxes."""

import os
import re

from crnn_mindspore.data.converting.scenes import Points, Region, Scene
from crnn_mindspore.data.readers.ic13_dataset import parse_ic13_line
from crnn_mindspore.data.sources.samples import MALFORMED, FilterReport
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import inside
from crnn_mindspore.text_file import numbered_lines, quoted, require_folder

DONT_CARE = "###"

# Both are matched against lines without blanks at their ends, and no two of their parts can share out the
# same characters: the time that they take grows with the line, not with a power of it.
_NUMBER = r"(-?\d{1,9})"
_UPRIGHT = re.compile(rf'{_NUMBER}[,\s]+{_NUMBER}[,\s]+{_NUMBER}[,\s]+{_NUMBER}[,\s]+"(.*)"')
_QUADRILATERAL = re.compile(rf"{_NUMBER}\s*,\s*" * 7 + rf"{_NUMBER}\s*,(.*)")
_SCENE_FILE = re.compile(r"^gt_(.+)\.txt$", re.IGNORECASE)
_IMAGE_SUFFIXES = (".jpg", ".JPG", ".png", ".jpeg")


def read_icdar(images: str, annotation: str, report: FilterReport) -> list[Scene]:
    """The scenes of an ICDAR 2013 or 2015 ground truth in any of its published forms.

    Args:
        images: Folder of the photographs or word images.
        annotation: A file of lines `word_1.png, "Tiredness"` (task 3), or a folder of `gt_img_1.txt` files
            with lines `38, 43, 920, 215, "Tiredness"` (2013) or `377,117,463,117,465,130,378,130,Genaxis`
            (2015).
        report: Malformed lines are counted here.

    Raises:
        UserError: If nothing of this form is found; the message names the path.
    """
    require_folder(images)
    if os.path.isfile(annotation):
        return _read_word_images(annotation, report)
    found = sorted(name for name in os.listdir(require_folder(annotation)) if _SCENE_FILE.match(name))
    if not found:
        raise UserError(f"{annotation!r} holds no gt_*.txt")
    return [_read_scene(images, inside(annotation, name), report) for name in found]


def _read_word_images(path: str, report: FilterReport) -> list[Scene]:
    scenes = []
    for number, line in numbered_lines(path):
        parsed = parse_ic13_line(line)
        if parsed is None:
            report.drop(MALFORMED, f"{path}:{number} {quoted(line)}")
        else:
            scenes.append(Scene(parsed[0], (Region(parsed[1]),)))
    return scenes


def _read_scene(images: str, path: str, report: FilterReport) -> Scene:
    match = _SCENE_FILE.match(os.path.basename(path))
    stem = match[1] if match else ""
    names = [stem + suffix for suffix in _IMAGE_SUFFIXES]
    image = next((name for name in names if os.path.isfile(os.path.join(images, name))), names[0])
    regions = []
    for number, line in numbered_lines(path):
        region = parse_scene_line(line)
        if region is None:
            report.drop(MALFORMED, f"{path}:{number} {quoted(line)}")
        else:
            regions.append(region)
    return Scene(image, tuple(regions))


def parse_scene_line(line: str) -> Region | None:
    """A line of a scene's ground truth, None if it has another form."""
    line = line.strip()
    upright = _UPRIGHT.fullmatch(line)
    if upright:
        left, top, right, bottom = (float(upright[k]) for k in range(1, 5))
        return Region(upright[5].replace('\\"', '"'), ((left, top), (right, bottom)))
    match = _QUADRILATERAL.fullmatch(line)
    if match is None:
        return None
    numbers = [float(match[k]) for k in range(1, 9)]
    corners: Points = tuple((numbers[k], numbers[k + 1]) for k in range(0, 8, 2))
    return Region(match[9].strip(), corners)
