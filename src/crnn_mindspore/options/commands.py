"""Which options each command takes."""

import sys
from typing import Annotated, Literal

from pydantic import Field

from crnn_mindspore.options import common, training_sections, using_sections
from crnn_mindspore.options.base import Argument, Flag, Number, Options, PathText, Switch, Text, Whole
from crnn_mindspore.options.converters import (
    Ic03Options,
    IcdarOptions,
    Iiit5kOptions,
    LmdbOptions,
    PruneOptions,
    SvtOptions,
    WeightsOptions,
)

# default_config.yaml holds just these sections, in this order.
SECTIONS: tuple[type[Options], ...] = (
    common.DeviceOptions,
    common.AscendOptions,
    common.EngineOptions,
    common.BatchOptions,
    common.WorkerOptions,
    common.LinkOptions,
    common.ImageTextOptions,
    common.NetworkOptions,
    training_sections.TrainingDataOptions,
    training_sections.LoadingOptions,
    training_sections.RenderingOptions,
    training_sections.LearningOptions,
    training_sections.AscendTrainingOptions,
    training_sections.PositionsLossOptions,
    training_sections.CheckpointOptions,
    training_sections.WatchOptions,
    using_sections.ModelFileOptions,
    using_sections.EvaluationDataOptions,
    using_sections.EvaluationPathOptions,
    using_sections.EvaluationBatchOptions,
    common.ProtocolOptions,
    common.DecodingOptions,
    using_sections.PredictionOptions,
    using_sections.LabelOptions,
    using_sections.FigureOptions,
    using_sections.ReportOptions,
    using_sections.ServiceOptions,
    using_sections.FileNameOptions,
    using_sections.ExportOptions,
    using_sections.OfflineOptions,
    common.ModelArtsOptions,
    common.ZooOptions,
)


class AllOptions(*reversed(SECTIONS)):  # type: ignore[misc]
    """Every option of default_config.yaml."""


class TrainOptions(
    common.ModelArtsOptions,
    training_sections.SessionOptions,
    training_sections.RenderingOptions,
    training_sections.LoadingOptions,
    training_sections.TrainingDataOptions,
    common.ProtocolOptions,
    common.ModelOptions,
    common.LinkOptions,
    common.WorkerOptions,
    common.BatchOptions,
    common.AscendOptions,
    common.DeviceOptions,
    using_sections.EvaluationBatchOptions,
    using_sections.EvaluationPathOptions,
    using_sections.EvaluationDataOptions,
):
    """Options of `crnn train`."""


class EvalOptions(
    common.ModelArtsOptions,
    using_sections.FigureOptions,
    using_sections.LabelOptions,
    using_sections.PredictionOptions,
    common.DecodingOptions,
    common.ProtocolOptions,
    common.ModelOptions,
    common.LinkOptions,
    common.WorkerOptions,
    common.BatchOptions,
    common.EngineOptions,
    common.AscendOptions,
    common.DeviceOptions,
    using_sections.EvaluationBatchOptions,
    using_sections.EvaluationPathOptions,
    using_sections.EvaluationDataOptions,
    using_sections.ModelFileOptions,
):
    """Options of `crnn eval`."""

    as_read: Flag = Field(
        False, description="as `crnn read` reads: by the decoder and up to the width that the model names"
    )


class EvalOnnxOptions(EvalOptions, using_sections.FileNameOptions):
    """Options of eval_onnx.py."""


class ExportCommandOptions(
    common.ModelArtsOptions,
    common.ModelOptions,
    common.BatchOptions,
    common.EngineOptions,
    common.AscendOptions,
    common.DeviceOptions,
    using_sections.ExportOptions,
    using_sections.FileNameOptions,
):
    """Options of `crnn export`."""

    for_chip: Annotated[Literal["", "ascend310", "ascend310p"], Argument(name="for")] = Field(
        "",
        description="ascend310, ascend310p: ONNX of opset 16 and MINDIR, both of one size, the converter's "
        "configuration, and the commands that convert them; file_format has no effect",
    )


class ReportCommandOptions(
    common.ProtocolOptions,
    common.ModelOptions,
    common.LinkOptions,
    common.WorkerOptions,
    common.BatchOptions,
    common.EngineOptions,
    common.AscendOptions,
    common.DeviceOptions,
    using_sections.ReportOptions,
    using_sections.EvaluationBatchOptions,
    using_sections.EvaluationPathOptions,
    using_sections.EvaluationDataOptions,
    using_sections.ModelFileOptions,
):
    """Options of `crnn report`."""


class CheckOptions(
    common.ModelOptions,
    common.LinkOptions,
    common.WorkerOptions,
    using_sections.EvaluationPathOptions,
    using_sections.EvaluationDataOptions,
    training_sections.TrainingDataOptions,
):
    """Options of `crnn check`."""

    html: PathText = Field("", description="file for the report as a page")
    json_path: Annotated[PathText, Argument(name="json")] = Field(
        "", description="file for the report as JSON"
    )
    max_images: Whole = Field(20_000, ge=0, description="images to look at; 0 for all")
    train_split: Text = Field("train", description="split of the training set")
    eval_split: Text = Field("test", description="split of the evaluation set")


class ServeOptions(
    common.DecodingOptions,
    common.ModelOptions,
    common.WorkerOptions,
    common.BatchOptions,
    common.EngineOptions,
    common.DeviceOptions,
    using_sections.ServiceOptions,
    using_sections.ModelFileOptions,
):
    """Options of `crnn serve`."""


class OfflineCommandOptions(
    using_sections.PredictionOptions,
    common.DecodingOptions,
    common.ProtocolOptions,
    common.ModelOptions,
    common.LinkOptions,
    common.BatchOptions,
    common.EngineOptions,
    common.AscendOptions,
    common.DeviceOptions,
    using_sections.OfflineOptions,
    using_sections.EvaluationPathOptions,
    using_sections.ModelFileOptions,
):
    """Options of the three steps of `crnn offline`, so that one list serves all."""


class ReadOptions(
    common.DecodingOptions,
    common.LinkOptions,
    common.EngineOptions,
    common.AscendOptions,
    common.DeviceOptions,
    common.BatchOptions,
):
    """Options of `crnn read`."""

    images: Annotated[list[str], Argument(is_positional=True)] = Field(
        description="a file, a folder, a pattern like 'crops/*.png', a file:// URL, or - for standard input"
    )
    task: Text = Field(
        "words", description="whose weights the model `pretrained` is; given, a model must be of its output"
    )
    model: PathText = Field(
        "pretrained", description="a .ckpt, .mindir or .onnx file; by default the project's weights"
    )
    format: Literal["table", "tsv", "json", "jsonl"] = Field(
        "table", description="jsonl and tsv print at once"
    )
    top_k: Whole = Field(1, ge=1, le=1_000, description="texts wanted for each image")
    characters: Flag = Field(False, description="confidence and position of each character")
    cut: Flag = Field(
        False,
        description="models of single characters: cut a clean printed page into lines and characters first",
    )
    keep_ratio: Switch = Field(
        False,
        description="do not squeeze images longer than the model's input; not given: as the model says",
    )


class ParityOptions(
    common.LinkOptions,
    common.BatchOptions,
    common.EngineOptions,
    common.AscendOptions,
    common.DeviceOptions,
):
    """Options of `crnn parity`."""

    models: Annotated[list[str], Argument(is_positional=True)] = Field(
        min_length=2,
        description="the checkpoint (or any model) that the others are compared with, then .mindir, .onnx or "
        ".ckpt files",
    )
    task: Text = Field(
        "words", description="for models of a kind of your own: the module, which may then be imported"
    )
    dataset: Text = Field(description="name of the data set or its layout")
    dataset_path: PathText = Field(description="its folder")
    tolerance: Number | None = Field(
        None, ge=0, description="largest difference of a logit; by default that of the model's precision"
    )
    result_json: PathText = Field("", description="file for the figures")


class RenderOptions(Options):
    """Options of `crnn render`."""

    task: Text = Field(
        "words",
        description="whose images; those of another than words go to train/ and test/, in the layout folder",
    )
    output_dir: PathText = Field(
        description="folder to write; new, empty, or an earlier output with --overwrite"
    )
    num_train: Whole = Field(description="training images")
    num_test: Whole = Field(
        description="test images, of words that no training image shows; 0 leaves no word out of training"
    )
    words: PathText = Field(
        "", description="file with one word a line (UTF-8), optionally a tab and a weight"
    )
    charset: Text = Field(
        "abcdefghijklmnopqrstuvwxyz0123456789",
        description="characters that labels may hold, or a .txt file of them",
    )
    lines: Flag = Field(
        False,
        description="lines of Chinese instead of words, of the 5,989 characters of 360CC unless --charset is "
        "given, and 69 time steps",
    )
    text: PathText = Field(
        "", description="lines: file of running text or phrases; empty: phrases of Chinese words"
    )
    length: Text = Field("", description="lines: characters, 10 or 1:20; empty: as each kind of line has it")
    rare: Number = Field(
        0.3, ge=0, le=1, description="lines: share of those whose characters come from the alphabet at random"
    )
    font_dir: PathText = Field("", description="folder of typefaces, in addition to those of the machine")
    photos: PathText = Field("", description="folder of photographs that are blended into the words")
    only_fonts: Flag = Field(False, description="use no typefaces but those of font_dir")
    held_out: Flag = Field(
        False, description="characters: use the typefaces that the task keeps out of training, and no others"
    )
    effects: PathText = Field("", description="yaml that replaces values of configs/effects.yaml")
    seed: Whole = Field(0, description="series of images")
    num_workers: Whole = Field(1, description="processes; the files do not depend on it")
    difficulty: Text = Field(
        "1:1", description="A:B, from the first training image to the last, 0..1; test images at B"
    )
    max_time_steps: Whole = Field(24, description="longest label for CTC; 24 is that of width 100")
    overwrite: Flag = Field(False, description="replace an earlier output of this command")


class DoctorOptions(common.WorkerOptions, common.DeviceOptions):
    """Options of `crnn doctor`."""

    as_json: Annotated[bool, Argument(name="json", is_flag=True)] = Field(
        False, description="print all that was found as JSON"
    )
    quick: Flag = Field(False, description="without the step on the device, which starts MindSpore")
    folder: PathText = Field(".", description="where results are to go, for the free space")


class LaunchOptions(Options):
    """Options of `crnn launch`."""

    platform: Literal["Ascend", "GPU", "CPU"] = Field(description="where to train")
    rank_table: PathText = Field("", description="Ascend: starts as this file says")
    python: PathText = Field(sys.executable, description="interpreter that trains")
    log_dir: PathText = Field(description="folder for one log a process")
    rank_folders: PathText = Field(
        "",
        description="beginning of the folders, one a process, that get a link log.txt to its log; "
        "./train_parallel gives ./train_parallel0/log.txt, as the model zoo has it",
    )
    options: Annotated[list[str], Argument(is_positional=True)] = Field(
        [], description="after --: options of `crnn train`"
    )


class RankTableOptions(Options):
    """Options of `crnn rank-table`."""

    devices: Text = Field(description="devices of each server: 0-7 or 0,2,4")
    servers: Text = Field("", description="addresses of the servers, comma between; default: this one's")
    device_ips: Text = Field(
        "",
        description="address of every device, comma between, server by server in the order of devices",
    )
    hccn_conf: PathText = Field(
        "/etc/hccn.conf", description="file with the addresses, one for each server, comma between"
    )
    output: PathText = Field("rank_table.json", description="file to write")


# Subcommand -> its options.
COMMANDS: dict[str, type[Options]] = {
    "read": ReadOptions,
    "train": TrainOptions,
    "eval": EvalOptions,
    "export": ExportCommandOptions,
    "prune": PruneOptions,
    "report": ReportCommandOptions,
    "check": CheckOptions,
    "parity": ParityOptions,
    "render": RenderOptions,
    "convert ic03": Ic03Options,
    "convert ic13": IcdarOptions,
    "convert ic15": IcdarOptions,
    "convert iiit5k": Iiit5kOptions,
    "convert svt": SvtOptions,
    "convert lmdb": LmdbOptions,
    "convert weights": WeightsOptions,
    "serve": ServeOptions,
    "doctor": DoctorOptions,
    "launch": LaunchOptions,
    "rank-table": RankTableOptions,
    "offline preprocess": OfflineCommandOptions,
    "offline infer": OfflineCommandOptions,
    "offline postprocess": OfflineCommandOptions,
}
