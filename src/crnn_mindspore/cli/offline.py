"""Offline inference, as on Ascend 310, in three steps. scripts/run_infer_310.sh runs them all.

    crnn offline preprocess  --checkpoint_path=F.mindir --dataset=svt --eval_dataset_path=IMAGES \\
        --ann_file=ANNOTATION --inputs_path=preprocess_Result
    crnn offline infer       --checkpoint_path=F.mindir --inputs_path=preprocess_Result \\
        --result_path=result_Files --time_path=time_Result
    crnn offline postprocess --checkpoint_path=F.mindir --dataset=svt --eval_dataset_path=IMAGES \\
        --ann_file=ANNOTATION --result_path=result_Files

The first lists the images for cpp_infer or for the second, which runs the network on MindSpore's own runtime
and does what cpp_infer does on MindSpore Lite; the third computes the accuracy from the result files. First
and third need the description beside the MINDIR, not MindSpore. All take one list of options.
"""

import os
import sys
from collections.abc import Callable, Sequence

from crnn_mindspore.artifacts.agreement import check_artifact, check_derived, kind_in
from crnn_mindspore.artifacts.artifact import Artifact, read_descriptions
from crnn_mindspore.artifacts.mindir_digest import own_description
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.data.readers.annotated import load_annotated
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.engines.choices import AscendChoices
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.prediction_file import save_predictions
from crnn_mindspore.offline.input_list import read_inputs, write_inputs
from crnn_mindspore.offline.om_files import write_tensors
from crnn_mindspore.offline.result_files import infer, judge
from crnn_mindspore.options.commands import OfflineCommandOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.reading.calibration import calibrated
from crnn_mindspore.text.decoding import decoding_of


def preprocess(argv: Sequence[str] | None = None, program: str = "crnn offline preprocess") -> int:
    """Writes the list of images as the options say; returns the exit status."""
    return _run(argv, program, _preprocess)


def infer_images(argv: Sequence[str] | None = None, program: str = "crnn offline infer") -> int:
    """Infers as the options say; the exit status is 1 if some images could not be read."""
    return _run(argv, program, _infer)


def postprocess(argv: Sequence[str] | None = None, program: str = "crnn offline postprocess") -> int:
    """Computes the accuracy as the options say; returns the exit status."""
    return _run(argv, program, _postprocess, output_is_result=True)


def _run(
    argv: Sequence[str] | None,
    program: str,
    work: Callable[[OfflineCommandOptions], int],
    output_is_result: bool = False,
) -> int:
    arguments = sys.argv[1:] if argv is None else argv

    def command() -> int:
        return work(load_options(OfflineCommandOptions, arguments, program, __doc__ or ""))

    return run_command(command, output_is_result=output_is_result)


def _model_and_data(options: OfflineCommandOptions) -> tuple[Artifact, SampleSource]:
    """The model's description, and the data set of `dataset`, `eval_dataset_path` and `ann_file`."""
    options.require("checkpoint_path", "dataset", "eval_dataset_path", "ann_file")
    described = read_descriptions(options.checkpoint_path)
    artifact = described[0]
    # cpp_infer runs it, and knows no descriptions. An .om is what atc made of the model that is described.
    if os.path.isfile(options.checkpoint_path) and not options.checkpoint_path.endswith(".om"):
        artifact = own_description(options.checkpoint_path, described)
    check_derived(options, artifact.kind)
    check_artifact(options, artifact, options.checkpoint_path)
    return artifact, load_annotated(options.dataset, options.eval_dataset_path, options.ann_file)


def _preprocess(options: OfflineCommandOptions) -> int:
    artifact, source = _model_and_data(options)
    write_inputs(options.inputs_path, source, artifact, resize_here=options.resize_in_python)
    if options.write_tensors:
        folder = write_tensors(options.inputs_path, source, artifact)
        print(f"inputs of the network: {folder}")
    return 0


def _infer(options: OfflineCommandOptions) -> int:
    options.require("checkpoint_path", "result_path")
    kind_in(options)  # a module that is named may be imported
    inputs = read_inputs(options.inputs_path)
    report = infer(
        open_backend(
            options.checkpoint_path,
            options.device_target,
            options.device_id,
            onnx_threads=options.onnx_threads,
            choices=AscendChoices.of(options),
            batch_size=options.batch_size,
        ),
        inputs,
        options.result_path,
        options.time_path,
        batch_size=options.batch_size,
        on_unreadable=lambda reason: print(f"warning: unreadable image: {reason}", file=sys.stderr),
    )
    print(f"{report.images} of {len(inputs.images)} images inferred, batch size {report.batch_size}")
    if report.unreadable:
        print(f"warning: {report.unreadable} images could not be read", file=sys.stderr)
    return 1 if report.unreadable else 0


def _postprocess(options: OfflineCommandOptions) -> int:
    options.require("result_path")
    if options.calibrate:
        raise UserError("calibrate: result files are read with a calibration, not fitted; use `crnn eval`")
    decoding = decoding_of(options).measuring
    if decoding.image_lexicon is not None:
        raise UserError(f"lexicon {decoding.lexicon!r}: an annotation gives none; name a file of words")
    artifact, source = _model_and_data(options)
    decoder = calibrated(artifact.decoder(decoding), options.checkpoint_path, artifact)
    evaluation = judge(
        source,
        artifact,
        decoder,
        options.result_path,
        options.protocol,
        decoding.reject_below,
        options.top_k,
    )
    if options.save_predictions:
        save_predictions(evaluation, options.save_predictions)
    data = [f"evaluation data: {line}" for line in source.report.lines()]
    of_the_zoo = f"result CRNNAccuracy is: {evaluation.accuracy.word_accuracy}"  # its line in acc.log
    for line in [*data, *evaluation.lines(), of_the_zoo, *decoder.notes()]:
        print(line)
    if options.save_predictions:
        print(f"predictions: {options.save_predictions}")
    return 0
