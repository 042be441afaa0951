"""Annotated photographs, whatever file they were described in, and the parsers of the official XML files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from crnn_mindspore.data.sources.samples import MALFORMED, FilterReport
from crnn_mindspore.errors import UserError
from crnn_mindspore.text_file import quoted, require_file

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Region:
    """One word in a photograph.

    Attributes:
        label: The transcription.
        corners: Two corners of an upright box (left top, right bottom) or four of a quadrilateral, clockwise
            from the left top, in pixels; None for the whole image.
        lexicons: Name of a lexicon -> the words this one may be read as.
    """

    label: str
    corners: Points | None = None
    lexicons: dict[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Scene:
    """One image file, its path relative to the images' folder, and the words in it."""

    image: str
    regions: tuple[Region, ...]


def box(x: float, y: float, width: float, height: float) -> Points:
    """The two corners of an upright box."""
    return ((x, y), (x + width, y + height))


def read_tagged_scenes(path: str, report: FilterReport) -> list[Scene]:
    """The scenes of an ICDAR 2003 `words.xml` or an SVT `train.xml` / `test.xml`.

    SVT's `<lex>` becomes the lexicon '50' of each word of the scene.

    Args:
        path: The XML file.
        report: Malformed entries are counted here.

    Raises:
        UserError: If the file is missing, no XML of this form, or uses entities (which an annotation has no
            need of and an attack has).
    """
    root = parse_xml(path)
    scenes = []
    for number, image in enumerate(root.iter("image"), start=1):
        name = (image.findtext("imageName") or "").strip()
        if not name:
            report.drop(MALFORMED, f"{path}: image {number} without a name")
            continue
        lexicon = tuple(word.strip() for word in (image.findtext("lex") or "").split(",") if word.strip())
        regions = []
        for k, rectangle in enumerate(image.iter("taggedRectangle"), start=1):
            corners = _corners(rectangle)
            if corners is None:
                report.drop(MALFORMED, f"{path}: rectangle {k} of {name} {rectangle.attrib}")
            else:
                label = _one_line(rectangle.findtext("tag") or "")
                regions.append(Region(label, corners, {"50": lexicon} if lexicon else None))
        scenes.append(Scene(name, tuple(regions)))
    return scenes


def read_word_list(path: str, report: FilterReport) -> list[Scene]:
    """The word images of an ICDAR 2003 `word.xml`: `<image file="word/1/1.jpg" tag="self" />`.

    Args:
        path: The XML file.
        report: Malformed entries are counted here.

    Raises:
        UserError: As `read_tagged_scenes`.
    """
    scenes = []
    for number, image in enumerate(parse_xml(path).iter("image"), start=1):
        name, label = image.get("file"), image.get("tag")
        if not name or label is None:
            report.drop(MALFORMED, f"{path}: image {number} {quoted(str(image.attrib))}")
        else:
            scenes.append(Scene(name, (Region(_one_line(label)),)))
    return scenes


def is_word_list(path: str) -> bool:
    """Whether an ICDAR 2003 file lists word images (`word.xml`) rather than scenes (`words.xml`)."""
    first = parse_xml(path).find(".//image")
    return first is not None and first.get("file") is not None


def parse_xml(path: str) -> Element:
    """The root of an XML file, without entities or anything external.

    Raises:
        UserError: If the file is missing, not XML, or declares entities; the message names it.
    """
    require_file(path, "XML file")
    try:
        root: Element = defusedxml.ElementTree.parse(path).getroot()
    except DefusedXmlException as error:
        raise UserError(f"{path}: refused, the file declares entities or external files ({error})") from None
    except (ParseError, UnicodeError, LookupError, ValueError) as error:
        raise UserError(f"{path}: not a well-formed XML file ({error})") from None
    return root


def _corners(rectangle: Element) -> Points | None:
    try:
        x, y, width, height = (float(rectangle.attrib[key]) for key in ("x", "y", "width", "height"))
    except (KeyError, ValueError):
        return None
    return box(x, y, width, height)


def _one_line(label: str) -> str:
    return " ".join(label.split())


def with_full_lexicon(scenes: Sequence[Scene]) -> list[Scene]:
    """The scenes with the lexicon 'full': every word of them all, lower-case, sorted.

    Source: Wang et al. 2011, section 5: the full lexicon is all words of the test set.
    """
    words = tuple(
        sorted({region.label.lower() for scene in scenes for region in scene.regions if region.label})
    )
    return [
        replace(scene, regions=tuple(replace(region, lexicons={"full": words}) for region in scene.regions))
        for scene in scenes
    ]
