"""Opening the model to evaluate, and evaluating it, as the options say."""

from crnn_mindspore.artifacts.agreement import check_artifact, check_derived, codec_of, preprocessing_of
from crnn_mindspore.artifacts.model_path import PRETRAINED, resolve_model
from crnn_mindspore.engines.backend import Backend, open_backend
from crnn_mindspore.engines.choices import AscendChoices
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluate_all import ALL, evaluate_all
from crnn_mindspore.evaluation.evaluation_report import evaluate_and_report
from crnn_mindspore.evaluation.evaluator import Evaluation
from crnn_mindspore.extras import require
from crnn_mindspore.options.commands import EvalOptions, ReportCommandOptions
from crnn_mindspore.text.decoding import decoding_of


def open_model(options: EvalOptions | ReportCommandOptions, path: str) -> Backend:
    """Opens a model file; options given must fit its description.

    Raises:
        UserError: If it cannot be opened or does not fit.
    """
    backend = open_backend(
        path,
        options.device_target,
        options.device_id,
        lambda: (codec_of(options), preprocessing_of(options)),
        onnx_threads=options.onnx_threads,
        choices=AscendChoices.of(options),
        batch_size=options.eval_batch_size or options.batch_size,
    )
    check_derived(options, backend.artifact.kind)
    check_artifact(options, backend.artifact, path)
    return backend


def evaluate_model(options: EvalOptions, name: str) -> Evaluation | None:
    """Evaluates a model on the data set of the options, or on every set, and writes the files asked for.

    Returns:
        What was found; None where it was every set.

    Raises:
        UserError: If options contradict each other, or model or data cannot be read.
    """
    decoding = decoding_of(options)
    if not options.as_read:
        decoding = decoding.measuring
    elif options.calibrate:
        raise UserError("calibrate fits at the width that the model was trained on: not with as_read")
    if options.calibrate and (options.eval_dataset == ALL or options.reject_below):
        other = "eval_dataset all" if options.eval_dataset == ALL else "reject_below"
        raise UserError(f"calibrate fits on one data set before anything is rejected: not with {other}")
    if options.calibrate:
        require("scipy")
    if options.suspects and options.eval_dataset == ALL:
        raise UserError(f"suspects {options.suspects!r} looks at one data set: not with eval_dataset all")
    if options.result_table and options.eval_dataset != ALL:
        raise UserError(f"result_table {options.result_table!r} needs --eval_dataset=all")
    path = resolve_model(name or PRETRAINED, options.task)
    backend = open_model(options, path)
    if options.as_read:
        backend.artifact = backend.artifact.as_read
    if options.eval_dataset == ALL:
        evaluate_all(
            backend,
            path,
            options.eval_dataset_path,
            batch_size=options.eval_batch_size or options.batch_size,
            protocol=options.protocol,
            num_workers=options.num_parallel_workers,
            predictions_path=options.save_predictions,
            top_k=options.top_k,
            json_path=options.result_json,
            table_paths=[table for table in options.result_table.split(",") if table],
            decoding=decoding,
        )
        return None
    return evaluate_and_report(
        backend,
        path,
        options.eval_dataset,
        options.eval_dataset_path,
        batch_size=options.eval_batch_size or options.batch_size,
        protocol=options.protocol,
        num_workers=options.num_parallel_workers,
        predictions_path=options.save_predictions,
        top_k=options.top_k,
        json_path=options.result_json,
        decoding=decoding,
        calibrate=options.calibrate,
        target_accuracy=options.target_accuracy,
        suspects_path=options.suspects,
    )
