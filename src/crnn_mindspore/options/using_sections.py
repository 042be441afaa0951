"""The options of evaluating, reporting, serving and exporting a model, a class a section of the yaml."""

from typing import Literal

from pydantic import Field

from crnn_mindspore.options.base import Number, Options, PathText, Text, Whole


class EvaluationDataOptions(Options):
    """Evaluation data."""

    eval_dataset: Text = Field(
        description="name of the data set or its layout; all: every set found under eval_dataset_path"
    )


class EvaluationPathOptions(Options):
    """Evaluation data, where it lies."""

    eval_dataset_path: PathText = Field(description="folder of the evaluation data")


class EvaluationBatchOptions(Options):
    """Evaluation batches."""

    eval_batch_size: Whole = Field(ge=0, description="images a batch of an evaluation; 0: batch_size")


class ModelFileOptions(Options):
    """Model file."""

    checkpoint_path: PathText = Field(
        description="the model to evaluate (.ckpt, .mindir or .onnx) or to serve (.ckpt or .onnx), a folder "
        "whose best checkpoint is meant, else its newest, or the word pretrained; pretrained:lines "
        "for the weights of another task"
    )


class PredictionOptions(Options):
    """Predictions."""

    calibrate: bool = Field(
        description="fit the confidences on this data set; written to MODEL.calibration.json"
    )
    save_predictions: PathText = Field(
        description="file for path, truth, prediction, confidence of every image: .json, or TSV"
    )
    top_k: Whole = Field(
        ge=1,
        le=1_000,
        description="texts of each image, the best first: how often the truth is among them, and for "
        "save_predictions",
    )


class LabelOptions(Options):
    """Labels and thresholds."""

    target_accuracy: Number = Field(
        gt=0,
        le=1,
        description="calibrate: accuracy of the accepted readings at the threshold that is written",
    )
    suspects: PathText = Field(
        description="TSV file for the labels that are likely wrong: those read differently, the most "
        "confident reading first"
    )


class FigureOptions(Options):
    """Figures."""

    result_json: PathText = Field(description="file for the figures, as JSON")
    result_table: PathText = Field(
        description="eval_dataset all: files for the table, .txt, .md, .csv or .json, comma between"
    )


class ReportOptions(Options):
    """Report."""

    report_path: PathText = Field(description="file for the page")
    report_images: Whole = Field(ge=0, description="images in each group of the page; 0 shows none")
    train_log: PathText = Field(
        description="train_log.csv or eval_log.csv files, comma between; auto: those beside the model; "
        "empty: none"
    )


class ServiceOptions(Options):
    """Service."""

    models: Text = Field(
        description="several models, NAME=MODEL with commas between: each is served under /models/NAME/, the "
        "first also where one alone is; MODEL may be pretrained, of words, or pretrained:lines; "
        "with checkpoint_path that is the first, called model"
    )
    host: Text = Field(description="address to listen at; 0.0.0.0 is reached from other machines")
    port: Whole = Field(ge=0, description="its port; 0: any that is free")
    metrics_port: Whole = Field(
        ge=0, description="a port of their own for the figures of /metrics; 0: beside the rest"
    )
    allowed_hosts: Text = Field(
        description="names by which the service is called, commas between, *.example.com for all below; "
        "others are refused; empty: any, but at a loopback address only localhost and addresses; *: any"
    )
    batch_wait_ms: Number = Field(
        ge=0, description="milliseconds for which a batch waits for images that are being decoded"
    )
    max_body_mb: Whole = Field(ge=1, description="MiB of one request, 256 at most")
    body_seconds: Number = Field(ge=1, description="seconds in which a request's body must arrive")
    max_image_megapixels: Whole = Field(
        ge=1,
        description="millions of pixels of one image; larger JPEGs are reduced, others refused; 67 at most",
    )
    max_request_images: Whole = Field(ge=1, description="images in one request")
    max_waiting_images: Whole = Field(
        ge=1,
        description="images accepted and not yet read; beyond, requests are refused with status 503",
    )
    max_connections: Whole = Field(
        ge=1,
        description="connections at a time; a further one replaces the one that has been waited for longest",
    )
    shutdown_seconds: Whole = Field(
        ge=1, description="seconds for the requests in flight when the service is told to end"
    )


class FileNameOptions(Options):
    """File to write."""

    file_name: PathText = Field(
        description="export: the output without or with its ending; eval_onnx.py: the model"
    )


class ExportOptions(Options):
    """Export."""

    ckpt_file: PathText = Field(description="the checkpoint to export")
    file_format: Literal["MINDIR", "AIR", "ONNX", "CKPT"] = Field(
        description="CKPT: the weights alone, in half precision, to hand on"
    )
    reading: Text = Field(
        description="what the file says of reading it, where that is not asked for: decoder=prior, prior=en, "
        "widest=160 (pixels up to which images keep their ratio), with spaces between; none: nothing"
    )
    precision: Literal["fp32", "fp16", "int8"] = Field(
        description="of an ONNX file; other formats are fp32, CKPT fp16; int8 needs calibration images"
    )
    calibration_dataset: Text = Field(
        description="int8: name of the data set or its layout; not the one that is measured on"
    )
    calibration_path: PathText = Field(description="int8: its folder")
    calibration_images: Whole = Field(ge=1, description="int8: images used, spread evenly over the data set")
    onnx_batch: Whole = Field(
        ge=0,
        description="ONNX, with --for and on Ascend MINDIR too: the one batch size that the file takes, for "
        "engines without free sizes; 0: any, there 1",
    )
    onnx_width: Whole = Field(
        ge=0, description="the same: the one width that the file takes, pixels; 0: any, there the model's"
    )
    verify: Text = Field(
        description="compare the export with the checkpoint on this data set: its name or layout"
    )
    verify_path: PathText = Field(description="its folder")


class OfflineOptions(Options):
    """Offline inference on Ascend 310."""

    ann_file: PathText = Field(
        description="annotation of the inferred images, which lie in eval_dataset_path; or that folder itself"
    )
    result_path: PathText = Field(description="folder of the network's outputs, a file an image")
    dataset: Text = Field(description="layout of the annotation")
    inputs_path: PathText = Field(description="folder of the list of images that the first step writes")
    time_path: PathText = Field(description="folder of the timings")
    write_tensors: bool = Field(
        description="the first step also writes the network's input of each image, for a runner of .om models"
    )
    resize_in_python: bool = Field(
        description="decode and resize every image in the first step, for a machine whose OpenCV differs"
    )
