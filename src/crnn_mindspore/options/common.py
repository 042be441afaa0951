"""Options that several commands take."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from crnn_mindspore.options.base import ListText, Number, Options, PathText, Text, Whole, in_home

# An alphabet is taken as it is; the path of one may begin with `~`.
LabelDictText = Annotated[
    Text, BeforeValidator(lambda v: in_home(v) if isinstance(v, str) and v.lower().endswith(".txt") else v)
]


def _mapping_or_path(value: object) -> object:
    if not isinstance(value, dict | str | None):
        raise ValueError("neither a mapping nor a path")
    return "" if value is None else in_home(value)


PositionsText = Annotated[Any, BeforeValidator(_mapping_or_path)]


class DeviceOptions(Options):
    """Device."""

    device_target: Literal["auto", "Ascend", "GPU", "CPU"] = Field(
        description="where to compute; auto: Ascend where MindSpore has it, else GPU, else CPU"
    )
    device_id: Whole = Field(ge=0, description="which device of this server")


class AscendOptions(Options):
    """Ascend, see docs/ascend.md."""

    ascend_profile: Literal["auto", "on", "off"] = Field(
        description="settings for Ascend where an option is auto; auto: on Ascend; on: elsewhere too, as far "
        "as it goes, to compare; off: nowhere"
    )
    jit_level: Literal["auto", "O0", "O1", "O2"] = Field(
        description="how MindSpore compiles: O2, whole graphs by CANN; O0, O1, operator by operator; auto: "
        "O2 on the first 910 and with a rank table, else O0"
    )
    precision_mode: Literal["auto", "keep", "allow_fp32_to_fp16", "force_fp16", "must_keep_origin_dtype"] = (
        Field(
            description="what CANN may compute in half precision by itself; auto: allow_fp32_to_fp16, matrix "
            "products alone, on the first 910, else keep; keep: as MindSpore has it"
        )
    )
    fixed_shapes: Literal["auto", "always", "never"] = Field(
        description="graphs of one shape, the last batch of an evaluation filled up; auto: on Ascend, and "
        "with lstm_kernel cells; never: one graph for any shape"
    )
    lstm_kernel: Literal["auto", "operator", "cells"] = Field(
        description="LSTM by MindSpore's operator, on Ascend in half precision, or unrolled from matrix "
        "products, with the same parameters; auto: operator; export --for: cells where it is not on Ascend"
    )
    compile_cache: PathText = Field(
        description="folder for compiled graphs; auto: ~/.cache/crnn_mindspore/graphs on Ascend; none: they "
        "are not kept"
    )


class EngineOptions(Options):
    """ONNX Runtime."""

    onnx_threads: Whole = Field(
        ge=0,
        le=1_024,
        description="threads that run an ONNX file, or a checkpoint on ONNX Runtime; 0: the cores that this "
        "process may use",
    )


class BatchOptions(Options):
    """Batches."""

    batch_size: Whole = Field(ge=1, description="images a batch and device")


class LinkOptions(Options):
    """Links in data folders."""

    allow_outside: bool = Field(
        description="reads images and label files also behind symbolic links that lead out of the data set's "
        "folder; the folder itself may always be a link"
    )


class WorkerOptions(Options):
    """Preparing images."""

    num_parallel_workers: Whole = Field(
        ge=0, description="background threads that prepare batches; 0 prepares them in the foreground"
    )


class ModelArtsOptions(Options):
    """Huawei Cloud ModelArts."""

    enable_modelarts: bool = Field(
        description="run as a job of ModelArts: copy in what the next options name, copy results out"
    )
    data_url: PathText = Field(
        description="the data set: obs://BUCKET/FOLDER, or the path where ModelArts put it"
    )
    train_url: PathText = Field(description="the results, the same")
    checkpoint_url: PathText = Field(description="checkpoints to start from, evaluate or export, the same")
    data_path: PathText = Field(
        description="folder the data set is copied to; a path in data_url is used where it is unless this "
        "is given"
    )
    output_path: PathText = Field(
        description="folder that results are written into and copied from; a path in train_url likewise"
    )
    load_path: PathText = Field(
        description="folder the checkpoints are copied to; a path in checkpoint_url likewise"
    )
    modelarts_sync_minutes: Number = Field(
        ge=0, description="minutes between two copies of new results while training; 0: only at the end"
    )


class ImageTextOptions(Options):
    """Alphabet and image size."""

    task: Text = Field(
        description="words, or the name of a file in configs/tasks/, which is laid over this one; or the "
        "path of such a file"
    )
    output: Text = Field(
        description="kind of the network's output: ctc, a text of any length; positions, one class a "
        "position; or a module with a kind of your own"
    )
    positions: PositionsText = Field(
        description="output positions: the classes of each position, as a mapping in the yaml of a task, or "
        "the path of a yaml that holds it, or gb2312_level1, one position of 3,755 characters; see "
        "docs/tasks.md"
    )
    label_dict: LabelDictText = Field(
        description="the alphabet; class ids are positions in it; or a .txt file, one class a line or all "
        "characters in one; auto: from the labels"
    )
    with_space: bool = Field(description="appends a space to the alphabet where it has none")
    image_width: Whole = Field(
        le=65_536,
        description="pixels; gives image_width // 4 - 1 time steps, with paper image_width // 4 + 1",
    )
    image_height: Whole = Field(le=65_536, description="pixels")
    keep_ratio: bool = Field(
        description="images keep their ratio of width to height: each has a width of its own, image_width at "
        "most; see docs/lines.md"
    )
    image_width_step: Whole = Field(
        ge=1,
        le=65_536,
        description="keep_ratio: widths are rounded up to a multiple of so many pixels; a larger step makes "
        "fewer widths",
    )
    image_turn_above: Number = Field(
        ge=0,
        description="keep_ratio: an image more than so many times as high as wide is a column of text and is "
        "turned to the left; 0: none",
    )
    image_colours: Literal["BGR", "RGB", "GREY"] = Field(
        description="channels of the network's input: blue, green, red; red, green, blue; or grey alone"
    )
    image_resize: Literal["nearest", "linear", "area", "cubic", "pillow-linear", "pillow-cubic"] = Field(
        description="how images are resized: OpenCV's ways, or Pillow's, which most programs in PyTorch use"
    )
    image_mean: Number = Field(description="subtracted from each value, 0 to 255")
    image_std: Number = Field(description="divides each value")
    image_standardize: bool = Field(
        description="every image by its own mean and standard deviation, instead of by these; for "
        "images of very different brightness or contrast"
    )


class NetworkOptions(Options):
    """Network."""

    model_version: Literal["V1", "V2", "paper", "vgg", "resnet18", "character_net"] = Field(
        description="network: of output ctc V1 and V2, as in the model zoo, paper, as in crnn.pytorch, and "
        "vgg, as in deep-text-recognition-benchmark; of output positions resnet18 "
        "(residual blocks, plates) and character_net (five convolutions, single characters)"
    )
    hidden_size: Whole = Field(ge=1, le=65_536, description="units of each direction of LSTM or GRU")
    channel_scale: Number = Field(
        le=1_024, description="multiplies the channel counts 64 to 512 of the convolutions"
    )
    channels: ListText = Field(
        description="V1, V2, resnet18, character_net: channels of every layer, as in a network that "
        "`crnn prune` has cut, with commas between; empty: those of channel_scale"
    )
    resnet_block: Literal["v1", "v2"] = Field(
        description="resnet18: batch norm and ReLU after each convolution (v1) or before it (v2)"
    )
    stem_stride: Whole = Field(
        ge=1,
        le=2,
        description="resnet18: stride of the first convolution; 1: maps of twice the height and width, which "
        "cost four times as much",
    )
    stem_pooling: bool = Field(
        description="resnet18: pooling by 2 behind the first convolution; False likewise"
    )
    map_mean: bool = Field(
        description="resnet18: the scores are made of the mean over the map; False: of all its places, for "
        "one image size; learns where the positions are in less time"
    )
    last_channels: Whole = Field(
        ge=1, le=65_536, description="resnet18: channels of the last stage, before channel_scale"
    )
    leaky_slope: Number = Field(
        ge=0, lt=1, description="paper, vgg: slope of LeakyReLU below 0 in place of ReLU; 0: ReLU"
    )
    rnn_type: Literal["lstm", "gru"] = Field(description="paper, vgg: the recurrent layers")
    class_num: Whole = Field(description="follows from label_dict: its length + 1; checked when given")
    blank: Whole = Field(description="follows from label_dict: its length; checked when given")
    num_step: Whole = Field(
        description="follows from image_width: image_width // 4 - 1, of paper + 1; checked when given"
    )
    input_size: Whole = Field(
        description="follows from channel_scale: 512 * channel_scale, or from channels: the last; checked "
        "when given"
    )


class ModelOptions(NetworkOptions, ImageTextOptions):
    """Model; what a file says of itself comes first, and what is given must agree with it."""


class ProtocolOptions(Options):
    """Comparing texts."""

    protocol: Literal["auto", "classic", "charset", "width", "alike"] = Field(
        description="how words are compared: classic, letters and digits without case; charset, all of the "
        "alphabet; width, the same but for full- and half-width forms; alike, the same but for these and for "
        "look-alikes such as 0Oo and 1lI; auto: classic for an alphabet of [0-9a-z], else charset"
    )


class DecodingOptions(Options):
    """Decoding."""

    decoder: Literal["auto", "greedy", "beam", "lexicon", "prior"] = Field(
        description="how network outputs become texts; auto: what the model says of itself where images are "
        "read, greedy where it is measured"
    )
    lexicon: PathText = Field(
        description="lexicon: 50, 1k or full for each image's own words, or a file with one word a line"
    )
    beam_width: Whole = Field(ge=1, le=10_000, description="beam: texts followed at a time")
    language_model: PathText = Field(
        description="beam: file with one word a line, to make a character model of"
    )
    language_weight: Number = Field(ge=0, description="beam: weight of the character model's log-probability")
    length_bonus: Number = Field(description="beam: added to the score for each character, natural logarithm")
    prior: PathText = Field(
        description="prior: language of the words, or a file, one word and its frequency a line; empty: en"
    )
    reject_below: Number = Field(
        ge=0, description="readings with a lower confidence, 0 to 1, are marked as rejected"
    )
    confidence: Literal["product", "weakest"] = Field(
        description="output positions: confidence of a text: product of its positions' probabilities, or "
        "that of the weakest"
    )
    forms: PathText = Field(
        description="output positions: yaml with kinds of plates, as that of a task; only texts of their "
        "forms are read"
    )


class ZooOptions(Options):
    """Accepted, as the model zoo has it, and without effect."""

    model: Text = Field(description="name of the alphabet")
