"""Typefaces that are kept out of training, to measure how characters are read in faces never seen."""

import logging
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.typefaces.fonts import FontLibrary

_logger = logging.getLogger(__name__)


def without(fonts: FontLibrary, hold_out: str, held_out: bool) -> FontLibrary:
    """The library without the faces that are kept out, or with those alone.

    Args:
        fonts: All typefaces.
        hold_out: Beginnings of file names, comma between, case ignored.
        held_out: Those alone.

    Raises:
        UserError: If none is left.
    """
    starts = [part.strip().lower() for part in hold_out.split(",") if part.strip()]
    if held_out and not starts:
        raise UserError("render_held_out needs the typefaces that are kept out: give --render_hold_out")
    if not starts:
        return fonts
    names = [Path(face.path).name.lower() for face in fonts.faces]
    absent = [start for start in starts if not any(name.startswith(start) for name in names)]
    if absent:
        text = f"render_hold_out: no typeface's file name begins with {' or '.join(map(repr, absent))}"
        if absent == starts and held_out:
            raise UserError(text)
        _logger.warning(text)  # not every machine has those that the task names
    is_out = [name.startswith(tuple(starts)) for name in names]
    kept = [face for face, out in zip(fonts.faces, is_out, strict=True) if out == held_out]
    return FontLibrary(kept, fonts.skipped)
