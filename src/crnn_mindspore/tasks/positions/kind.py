"""Positions: one row of scores a position, one class each; licence plates, single characters."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.checking.findings import Hint
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.options.common import ModelOptions
from crnn_mindspore.options.task_file import layout_with_files_beside, task_file
from crnn_mindspore.synth.render_loader import ImageRenderer
from crnn_mindspore.tasks.channels import (
    ChannelGroup,
    channel_counts,
    described_network,
    sizes_with_text,
    widths_text,
)
from crnn_mindspore.tasks.interface import Arrays, Details, Kind, Learner, Model
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.cutting import channel_groups
from crnn_mindspore.tasks.positions.decoder import PositionsDecoder
from crnn_mindspore.tasks.positions.details import PositionsDetails
from crnn_mindspore.tasks.positions.forms import load_forms
from crnn_mindspore.tasks.positions.layout import GB2312, layout_of
from crnn_mindspore.tasks.positions.network_spec import RESNET18, VERSIONS, PositionsNetwork
from crnn_mindspore.tasks.positions.rendering import named_renderer
from crnn_mindspore.text.codec import Codec
from crnn_mindspore.text.decoder import Decoder
from crnn_mindspore.text.decoding import GREEDY, WEAKEST, Decoding

_SHOWN = 60


class Positions(Kind):
    """One class a position; its codec is a `PositionsCodec`."""

    name = "positions"
    step_name = "positions"
    has_one_size = True

    def describe(self, codec: Codec) -> dict[str, Any]:
        """The layout."""
        return {"positions": _own(codec).layout.to_plain(), "num_classes": codec.num_classes}

    def codec_of(self, values: Mapping[str, Any]) -> PositionsCodec:
        """The layout of a description."""
        return PositionsCodec(layout_of(values["positions"], reads_files=False))

    def network_of(self, values: Mapping[str, Any]) -> PositionsNetwork:
        """Version and sizes."""
        return PositionsNetwork(**{**values, "channels": channel_counts(values.get("channels", ()))})

    def describe_network(self, network: Any) -> dict[str, Any]:
        """Version and sizes."""
        return described_network(network)

    def classes_of(self, codec: Codec) -> dict[str, Any]:
        """The layout as the options have it."""
        return {"positions": _own(codec).layout.to_plain()}

    def sizes_of(self, network: Any) -> dict[str, Any]:
        """Version and sizes."""
        return sizes_with_text(network)

    def codec_from(self, options: ModelOptions) -> PositionsCodec:
        """The layout of `positions`: a mapping, the path of a yaml, or the name of an alphabet."""
        given = options.positions
        if not given:
            file, _ = task_file(options.task)
            missing = "" if file.is_file() else f"; there is no {file}"
            raise UserError(
                f"output {options.output}: --positions must say which, as the yaml of a task does{missing}"
            )
        if given == GB2312:
            return PositionsCodec(layout_of({"text": [{"name": "character", "classes": GB2312}]}))
        if isinstance(given, str):
            given = layout_with_files_beside(read_yaml(Path(given)), Path(given).parent)
        return PositionsCodec(layout_of(given))

    def network_from(self, options: ModelOptions) -> PositionsNetwork:
        """Version and sizes."""
        if options.model_version not in VERSIONS:
            known = ", ".join(VERSIONS)
            raise UserError(
                f"output positions: model_version is {options.model_version!r}, must be one of {known}"
            )
        channels = channel_counts(options.channels)
        if options.model_version != RESNET18:
            return PositionsNetwork(options.model_version, options.channel_scale, channels=channels)
        return PositionsNetwork(
            options.model_version,
            options.channel_scale,
            options.resnet_block,
            options.stem_stride,
            options.stem_pooling,
            options.last_channels,
            options.map_mean,
            channels,
        )

    def adoptable(self, artifact: Model) -> dict[str, Any]:
        """Layout, version and sizes."""
        return {**self.classes_of(artifact.codec), **self.sizes_of(artifact.network)}

    def kept_label_hints(self, source: SampleSource, codec: Codec) -> list[Hint]:
        """Classes without a single image."""
        own = _own(codec)
        texts, ids = source.distinct_texts()
        used = np.unique(ids)
        targets = np.array([own.encode_known(texts[int(k)]) for k in used])
        unseen = own.layout.unseen(targets)
        if not unseen:
            return []
        listed = "; ".join(f"{name}: {_shown(classes)}" for name, classes in unseen.items())
        return [
            Hint(
                "unused_classes",
                f"Classes without a single image, by position: {listed}.",
                "They will not be read; add images, or leave the classes out.",
            )
        ]

    def classes_to_balance(self, source: SampleSource, codec: Codec, position: str) -> npt.NDArray[np.int32]:
        """Ids at the position, -1 where it is open, which counts as a class."""
        own = _own(codec)
        names = [p.name for p in own.layout.positions]
        if position not in names:
            raise UserError(f"balance: {unknown_message('position', position, names)}")
        place = names.index(position)
        texts, ids = source.distinct_texts()
        of_texts = [own.encode_known(text)[place] for text in texts]
        return np.array(of_texts, dtype=np.int32)[ids]

    def renderer(self, options: Any) -> ImageRenderer:
        """The one that the task names."""
        return named_renderer(options.renderer, self.codec_from(options), options)

    def decoder(self, artifact: Model, decoding: Decoding) -> Decoder:
        """The most probable text."""
        decoding.check()
        if decoding.decoder != GREEDY:
            raise UserError(
                f"decoder {decoding.decoder} reads texts of any length; of positions it is greedy"
            )
        rule = load_forms(decoding.forms) if decoding.forms else None
        return PositionsDecoder(_own(artifact.codec), rule, by_weakest=decoding.confidence == WEAKEST)

    def details(self, artifact: Model) -> Details | None:
        """Each position and attribute; None of a single position, which is the text."""
        codec = _own(artifact.codec)
        return PositionsDetails(codec) if len(codec.layout) > 1 else None

    def reads_one_class(self, artifact: Model) -> bool:
        """Where there is one position."""
        return len(_own(artifact.codec).layout) == 1

    def facts(self, artifact: Model) -> dict[str, str]:
        """Network and positions."""
        n, layout = artifact.network, _own(artifact.codec).layout
        named = ", ".join(f"{p.name} ({len(p.classes)} classes)" for p in layout.positions)
        changed = [f"{name} {value}" for name, value in _changed_sizes(n).items()]
        network = ", ".join([n.version, widths_text(n), *changed])
        return {"network": network, "positions": named}

    def score_shape(self, artifact: Model) -> tuple[int, int]:
        """Positions, and the most classes that one has."""
        layout = _own(artifact.codec).layout
        return len(layout), layout.num_classes

    def onnx(self, weights: Arrays, artifact: Model) -> Any:
        """The network, for any batch size."""
        from crnn_mindspore.tasks.positions.onnx_network import build_onnx  # onnx is slow to import

        return build_onnx(weights, artifact)

    def channel_groups(self, artifact: Model) -> Sequence[ChannelGroup]:
        """Those inside of blocks, and those that the blocks of a stage add to; those of each layer."""
        return channel_groups(artifact.network)

    def learner(self) -> Learner:
        """Networks and losses."""
        module = importlib.import_module("crnn_mindspore.tasks.positions.learning.learner")
        learner: Learner = module.PositionsLearner()
        return learner


def _own(codec: Codec) -> PositionsCodec:
    assert isinstance(codec, PositionsCodec), codec
    return codec


def _changed_sizes(network: PositionsNetwork) -> dict[str, Any]:
    """Of the options of ResNet-18, those with another value than the usual one."""
    usual = asdict(PositionsNetwork(network.version, network.channel_scale))
    usual["channels"] = network.channels
    return {name: value for name, value in asdict(network).items() if value != usual[name]}


def _shown(classes: list[str]) -> str:
    names = [name or "none" for name in classes]
    text = "".join(names) if all(len(name) == 1 for name in names) else ", ".join(names)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(classes)})"


KIND = Positions()
