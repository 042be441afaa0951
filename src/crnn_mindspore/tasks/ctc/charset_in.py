"""The alphabet of a model whose output is CTC."""

from crnn_mindspore.tasks.interface import Model
from crnn_mindspore.text.charset import Charset


def charset_in(artifact: Model) -> Charset:
    """The codec of a CTC model, which is its alphabet."""
    assert isinstance(artifact.codec, Charset), artifact.codec
    return artifact.codec
