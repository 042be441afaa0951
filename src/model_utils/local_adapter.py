"""What processes of one server do once, under the model zoo's name."""

from crnn_mindspore.modelarts.once_a_server import copied_once, turn

__all__ = ["copied_once", "turn"]
