"""Which file a model's name means."""

from crnn_mindspore.shipped import shipped

PRETRAINED = "pretrained"


def resolve_model(name: str) -> str:
    """The path of a model file; `pretrained` means the weights that come with the project."""
    return str(shipped("pretrained/crnn_v2_half.ckpt")) if name == PRETRAINED else name
