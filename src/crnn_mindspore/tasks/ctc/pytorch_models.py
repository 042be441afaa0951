"""What a network of another project is used with: what its shapes say, the rest as given or usual."""

import logging
from dataclasses import dataclass

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.torch.torch_layouts import Layout, Weights, to_ours
from crnn_mindspore.artifacts.weights import CLASS_LAYERS
from crnn_mindspore.data.preprocess import GREY, RGB, Preprocessing
from crnn_mindspore.data.sources.charset_file import resolve_charset
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.network_spec import GRU, LSTM, STEP_OFFSETS, NetworkSpec, create_spec
from crnn_mindspore.text.charset import Charset

_FULL_FEATURES = 512  # channels of the last convolution at channel_scale 1
_GATES = {LSTM: 4, GRU: 3}  # of a unit
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Given:
    """What the user says of a network; "" and 0 for what the project usually has.

    Attributes:
        label_dict: The alphabet, or a file of it.
        with_space: Whether a space is appended.
        is_blank_first: Whether the blank is the first class, or the last.
        width: Of the images, pixels.
        colours: "BGR", "RGB" or "GREY".
        resize: One of the interpolations of `Preprocessing`.
        mean: Subtracted, in units of 0..255.
        std: Divides.
        leaky_slope: Of LeakyReLU; 0 for ReLU.
    """

    label_dict: str
    with_space: bool
    is_blank_first: bool
    width: int
    colours: str
    resize: str
    mean: float
    std: float
    leaky_slope: float


def described(arrays: Weights, layout: Layout, given: Given, origin: str) -> tuple[Weights, Artifact]:
    """The weights by our names, the blank last, and their description.

    Raises:
        UserError: If the shapes are not the project's, or contradict the alphabet or the colours; both values
            are named.
    """
    weights = to_ours(arrays, layout, given.is_blank_first)
    spec, channels, classes = _spec_of(weights, layout, given.leaky_slope, origin)
    charset = _charset(layout, given, classes, origin)
    colours = given.colours or (GREY if channels == 1 else RGB)
    preprocessing = Preprocessing(
        32,
        given.width or layout.width,
        colours,
        given.resize or layout.interpolation,
        given.mean,
        given.std,
        step_offset=STEP_OFFSETS[layout.version],
    )
    if preprocessing.channels != channels:
        raise UserError(
            f"{origin}: reads images of {channels} channels, but image_colours {colours} has "
            f"{preprocessing.channels}"
        )
    p = preprocessing
    _logger.info(
        "images: %d x %d, %s, %s, mean %g, std %g",
        *(p.width, p.height, p.channel_order, p.interpolation, p.mean, p.std),
    )
    return weights, Artifact(charset, preprocessing, spec, training={"layout": layout.name})


def _charset(layout: Layout, given: Given, classes: int, origin: str) -> Charset:
    if given.label_dict:
        charset = resolve_charset(given.label_dict, with_space=given.with_space)
        if charset.num_classes != classes:
            raise UserError(
                f"{origin}: has {classes} classes, but label_dict has {len(charset)} characters and a blank: "
                f"{charset.num_classes}; give the alphabet it was trained with"
            )
        return charset
    alphabet = next((a for a in layout.alphabets if len(a) + 1 + given.with_space == classes), None)
    if alphabet is None:
        raise UserError(
            f"{origin}: has {classes} classes, and no usual alphabet of {layout.name} is so long; give "
            "the one it was trained with as label_dict"
        )
    _logger.info("label_dict: %s, as %s usually has it", alphabet, layout.name)
    return resolve_charset(alphabet, with_space=given.with_space)


def _spec_of(
    weights: Weights, layout: Layout, leaky_slope: float, origin: str
) -> tuple[NetworkSpec, int, int]:
    """What the shapes say: sizes of the network, its input's channels, its classes.

    Raises:
        UserError: If a parameter is missing, or the recurrent layers are neither LSTM nor GRU.
    """
    try:
        gates, hidden = weights["rnn.0.rnn.weight_hh_l0"].shape
        features, _, _, _ = weights["cnn.conv6.weight"].shape
        channels = weights["cnn.conv0.weight"].shape[1]
        classes, _ = weights[f"{CLASS_LAYERS[layout.version]}.weight"].shape
    except (KeyError, ValueError, IndexError):
        raise UserError(f"{origin}: lacks parameters of {layout.made_by}, or has other shapes") from None
    if gates not in (hidden * number for number in _GATES.values()):
        raise UserError(
            f"{origin}: its recurrent layers are neither LSTM nor GRU: {gates} rows for {hidden} units"
        )
    rnn_type = next(name for name, number in _GATES.items() if gates == hidden * number)
    sizes = layout.version, hidden, features / _FULL_FEATURES
    spec = create_spec(*sizes, leaky_slope=leaky_slope, rnn_type=rnn_type)
    return spec, channels, classes
