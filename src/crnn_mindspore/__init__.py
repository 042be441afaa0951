"""Reads text in images, with networks one trains oneself on MindSpore.

>>> from crnn_mindspore import Recognizer
>>> for result in Recognizer.load()(["a.jpg", "b.png"]):
...     print(result.text, result.confidence)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crnn_mindspore.reading.recognition import Recognition
    from crnn_mindspore.reading.recognizer import Recognizer
    from crnn_mindspore.text.decoding import Decoding

__all__ = ["Decoding", "Recognition", "Recognizer"]


def __getattr__(name: str) -> Any:
    """Imports what users of the package ask for when they ask for it."""
    if name == "Decoding":
        from crnn_mindspore.text.decoding import Decoding

        return Decoding
    if name in __all__:
        from crnn_mindspore.reading import recognizer

        return getattr(recognizer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
