"""CTC: one row of scores a time step, the blank last; texts of any length that fits the steps."""

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.checking import training_labels
from crnn_mindspore.data.checking.findings import Hint
from crnn_mindspore.data.preprocess import STEP_OFFSET, Preprocessing, time_step_centres, time_steps_for_width
from crnn_mindspore.data.sources.charset_file import label_dict_of, resolve_charset
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.common import ModelOptions
from crnn_mindspore.synth.line_render import LineRenderer, create_line_renderer
from crnn_mindspore.synth.render import Renderer, create_renderer
from crnn_mindspore.synth.render_loader import ImageRenderer
from crnn_mindspore.tasks.channels import (
    ChannelGroup,
    channel_counts,
    channels_text,
    described_network,
    sizes_with_text,
    widths_text,
)
from crnn_mindspore.tasks.ctc.charset_in import charset_in
from crnn_mindspore.tasks.ctc.cutting import channel_groups
from crnn_mindspore.tasks.ctc.decoders import create_decoder
from crnn_mindspore.tasks.ctc.network_spec import (
    GRU,
    LSTM,
    STEP_OFFSETS,
    NetworkSpec,
    PyTorchSpec,
    create_spec,
)
from crnn_mindspore.tasks.interface import FORMAT_VERSION, Arrays, Kind, Learner, Model
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.codec import Codec
from crnn_mindspore.text.decoder import Decoder
from crnn_mindspore.text.decoding import Decoding
from crnn_mindspore.text.strip import Strip, create_strip

_logger = logging.getLogger(__name__)

_FULL_FEATURES = 512  # channels of the last convolution at channel_scale 1
_CHARSET_SHOWN = 80


class Ctc(Kind):
    """CRNN with CTC; its codec is a `Charset`."""

    name = "ctc"
    step_name = "time steps"

    def describe(self, codec: Codec) -> dict[str, Any]:
        """The alphabet; a string in format 1, a list of classes in format 2."""
        charset = _charset(codec)
        return {
            "charset": charset.description,
            "case_sensitive": charset.case_sensitive,
            "blank": charset.blank,
            "num_classes": charset.num_classes,
        }

    def format_version(self, codec: Codec) -> int:
        """Format 2 where a class has several characters or comes twice."""
        return 1 if _charset(codec).is_plain else FORMAT_VERSION

    def codec_of(self, values: Mapping[str, Any]) -> Codec:
        """The alphabet of a description."""
        charset = _described_charset(values["charset"], values["case_sensitive"], values["format_version"])
        blank, classes = values["blank"], values["num_classes"]
        if (blank, classes) != (charset.blank, charset.num_classes):
            raise UserError(
                f"blank {blank} of {classes} classes contradicts its charset of {len(charset)} characters"
            )
        return charset

    def network_of(self, values: Mapping[str, Any]) -> NetworkSpec:
        """Version and sizes."""
        return create_spec(**{**values, "channels": channel_counts(values.get("channels", ()))})

    def describe_network(self, network: Any) -> dict[str, Any]:
        """Version and sizes."""
        return described_network(network)

    def classes_of(self, codec: Codec) -> dict[str, Any]:
        """The alphabet as the options have it."""
        charset = _charset(codec)
        return {"label_dict": charset.description, "case_sensitive": charset.case_sensitive}

    def sizes_of(self, network: Any) -> dict[str, Any]:
        """Version and sizes, under the names of the options and of the description."""
        return {**sizes_with_text(network), "version": network.version}

    def derived(self, options: ModelOptions) -> dict[str, int]:
        """`class_num`, `blank`, `num_step` and `input_size`."""
        charset = self.codec_from(options)
        return {
            "class_num": charset.num_classes,
            "blank": charset.blank,
            "num_step": self._time_steps(options),
            "input_size": self._features(options),
        }

    def _features(self, options: ModelOptions) -> int:
        counts = channel_counts(options.channels)
        return counts[-1] if counts else round(_FULL_FEATURES * options.channel_scale)

    def codec_from(self, options: ModelOptions) -> Charset:
        """The alphabet of `label_dict`, which may name a file; `auto` must be settled by the labels first."""
        return resolve_charset(options.label_dict, with_space=options.with_space)

    def network_from(self, options: ModelOptions) -> NetworkSpec:
        """Version and sizes."""
        if options.model_version not in STEP_OFFSETS:
            known = ", ".join(STEP_OFFSETS)
            raise UserError(f"output ctc: model_version is {options.model_version!r}, must be one of {known}")
        sizes = options.model_version, options.hidden_size, options.channel_scale
        spec = create_spec(*sizes, channels=channel_counts(options.channels))
        if not isinstance(spec, PyTorchSpec):
            return spec
        return replace(spec, leaky_slope=options.leaky_slope, rnn_type=options.rnn_type)

    def step_offset(self, model_version: str) -> int:
        """Time steps beyond a quarter of the width."""
        return STEP_OFFSETS.get(model_version, STEP_OFFSET)

    def _time_steps(self, options: ModelOptions) -> int:
        return time_steps_for_width(options.image_width, self.step_offset(options.model_version))

    def agreement(self, options: ModelOptions, artifact: Model) -> dict[str, tuple[Any, Any]]:
        """What a model says, beside what is given."""
        charset = charset_in(artifact)
        own = {
            **self.adoptable(artifact),
            "label_dict": charset.description,
            "with_space": options.with_space and " " in charset.classes,
            "class_num": charset.num_classes,
            "blank": charset.blank,
            "num_step": artifact.preprocessing.time_steps,
        }
        given: dict[str, Callable[[], Any]] = {
            "label_dict": lambda: self.codec_from(options).description,
            "channels": lambda: channels_text(channel_counts(options.channels)),
        }
        return {
            name: (value, given[name]() if name in given else getattr(options, name))
            for name, value in own.items()
            if name in options.given
        }

    def adoptable(self, artifact: Model) -> dict[str, Any]:
        """Alphabet, version and sizes."""
        return {
            "label_dict": label_dict_of(charset_in(artifact)),
            **sizes_with_text(artifact.network),
        }

    def dropped_label_hints(
        self, source: SampleSource, codec: Codec, preprocessing: Preprocessing, longest: int
    ) -> list[Hint]:
        """Labels outside the alphabet, or too long for the steps or for `max_text_length`."""
        return training_labels.dropped_label_hints(source, _charset(codec), preprocessing, longest)

    def kept_label_hints(self, source: SampleSource, codec: Codec) -> list[Hint]:
        """Too few different labels, characters that none of them holds."""
        return training_labels.kept_label_hints(source, _charset(codec))

    def renderer(self, options: Any) -> ImageRenderer:
        """Words or lines in the typefaces of the machine."""
        steps = self._time_steps(options)
        common: dict[str, Any] = {
            "charset": self.codec_from(options),
            "font_dir": options.render_fonts or None,
            "only_font_dir": options.render_only_fonts,
            "photo_dir": options.render_photos or None,
            "effects_file": options.render_effects or None,
            "seed": options.seed,
            "split": options.render_split,
        }
        renderer: Renderer | LineRenderer
        if options.render_lines:
            renderer = create_line_renderer(
                **common,
                text_file=options.render_text or None,
                length=options.render_length,
                longest=options.max_text_length,
                rare=options.render_rare,
                max_time_steps=steps,
            )
        else:
            renderer = create_renderer(
                **common,
                words_file=options.render_words or None,
                max_time_steps=min(steps, options.max_text_length),
            )
        for line in renderer.photos.lines() if renderer.photos else ():
            _logger.info("photographs: %s", line)
        return renderer

    def decoder(self, artifact: Model, decoding: Decoding) -> Decoder:
        """Greedy, beam or lexicon."""
        return create_decoder(decoding, artifact)

    def step_centres(self, width: int, step_offset: int) -> npt.NDArray[np.float64]:
        """The time steps go from left to right."""
        return time_step_centres(width, step_offset)

    def strip(self, artifact: Model, probabilities: npt.NDArray[np.float64], truth: Sequence[int]) -> Strip:
        """The classes that matter over time, the blank first."""
        return create_strip(probabilities, truth, charset_in(artifact).blank)

    def facts(self, artifact: Model) -> dict[str, str]:
        """Network and alphabet."""
        n, charset = artifact.network, charset_in(artifact)
        others = f", LeakyReLU {n.leaky_slope:g}" if getattr(n, "leaky_slope", 0) else ""
        others += ", GRU" if getattr(n, "rnn_type", LSTM) == GRU else ""
        case = "case-sensitive" if charset.case_sensitive else "case-insensitive"
        shown = charset.characters
        shown = shown if len(shown) <= _CHARSET_SHOWN else f"{shown[:_CHARSET_SHOWN]}…"
        return {
            "network": f"{n.version}, hidden size {n.hidden_size}, {widths_text(n)}{others}",
            "charset": f"{shown} ({len(charset)} characters, {case})",
        }

    def score_shape(self, artifact: Model) -> tuple[int, int]:
        """Time steps, and the alphabet with the blank."""
        return artifact.preprocessing.time_steps, artifact.codec.num_classes

    def onnx(self, weights: Arrays, artifact: Model) -> Any:
        """The network, for any batch size and width."""
        if isinstance(artifact.network, PyTorchSpec):
            from crnn_mindspore.artifacts.onnx_pytorch import build_pytorch_crnn  # onnx is slow to import

            return build_pytorch_crnn(weights, artifact)
        from crnn_mindspore.artifacts.onnx_graph import build_onnx

        return build_onnx(weights, artifact)

    def channel_groups(self, artifact: Model) -> Sequence[ChannelGroup]:
        """Those of each convolution, of V1 and V2."""
        return channel_groups(artifact.network)

    def learner(self) -> Learner:
        """CRNN and the CTC loss."""
        learner: Learner = importlib.import_module("crnn_mindspore.tasks.ctc.learning.learner").CtcLearner()
        return learner


def _charset(codec: Codec) -> Charset:
    assert isinstance(codec, Charset), codec
    return codec


def _described_charset(classes: object, case_sensitive: bool, version: int) -> Charset:
    """The charset of a description of some format version."""
    if version == 1:
        if not isinstance(classes, str):
            raise TypeError("charset is not a string")
        if len(set(classes)) < len(classes):
            twice = "".join(dict.fromkeys(c for c in classes if classes.count(c) > 1))
            raise UserError(f"the charset (label_dict) repeats {twice!r}")
        return Charset(classes, case_sensitive)
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise TypeError("charset is not a list of strings")
    return Charset(classes, case_sensitive)


KIND = Ctc()
