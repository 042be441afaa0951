"""The renderers of tasks of positions, by the name that a task's yaml gives as `renderer`."""

import importlib
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.synth.render_loader import ImageRenderer
from crnn_mindspore.text.codec import Codec

# Name -> module whose `create_renderer(codec, options)` makes it.
_RENDERERS = {
    "characters": "crnn_mindspore.synth.characters.renderer",
    "plates": "crnn_mindspore.synth.plates.plate_renderer",
}


def named_renderer(name: str, codec: Codec, options: Any) -> ImageRenderer:
    """The renderer of that name.

    Args:
        name: Of `_RENDERERS`.
        codec: Of the task: what labels may hold.
        options: Those of training.

    Raises:
        UserError: If there is no such renderer, or an option cannot be used.
    """
    if not name:
        raise UserError(
            f"render: this task names no renderer, so no images can be made for it; use a data set, or give "
            f"--renderer ({', '.join(_RENDERERS)})"
        )
    if name not in _RENDERERS:
        raise UserError(f"renderer: {unknown_message('renderer', name, _RENDERERS)}")
    module = importlib.import_module(_RENDERERS[name])
    renderer: ImageRenderer = module.create_renderer(codec, options)
    return renderer
