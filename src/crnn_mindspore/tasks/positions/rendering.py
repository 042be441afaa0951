"""The renderers of positions by name: a task's yaml says which makes its images."""

from collections.abc import Callable
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.synth.characters.character_render import create_character_renderer
from crnn_mindspore.synth.render_loader import ImageRenderer
from crnn_mindspore.tasks.positions.codec import PositionsCodec


def _characters(codec: PositionsCodec, options: Any) -> ImageRenderer:
    if len(codec.layout) > 1:
        raise UserError("renderer characters: the layout must have one position, the character")
    return create_character_renderer(
        codec=codec,
        font_dir=options.render_fonts or None,
        only_font_dir=options.render_only_fonts,
        hold_out=options.render_hold_out,
        held_out=options.render_held_out,
        photo_dir=options.render_photos or None,
        effects_file=options.render_effects or None,
        seed=options.seed,
        split=options.render_split,
    )


RENDERERS: dict[str, Callable[[PositionsCodec, Any], ImageRenderer]] = {"characters": _characters}


def create_renderer_of(codec: PositionsCodec, options: Any) -> ImageRenderer:
    """The renderer that the option `renderer` names.

    Raises:
        UserError: If there is none of that name, it cannot draw the positions, or an option cannot be used.
    """
    if not options.renderer:
        raise UserError(
            "render: output positions needs a renderer, so that images can be made for it: the task's yaml "
            f"names one of {', '.join(RENDERERS)}; or use a data set"
        )
    if options.renderer not in RENDERERS:
        raise UserError(unknown_message("renderer", options.renderer, RENDERERS))
    return RENDERERS[options.renderer](codec, options)
