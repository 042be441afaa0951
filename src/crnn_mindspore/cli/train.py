"""Trains a recogniser on a data set, or on words rendered while training."""

import sys
from collections.abc import Sequence

from crnn_mindspore.artifacts.agreement import check_derived
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.data.sources.charset_file import AUTO
from crnn_mindspore.engines.choices import AscendChoices
from crnn_mindspore.engines.mindspore.runtime import initialize, prepare_environment
from crnn_mindspore.modelarts.job import run_job
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.options.output_folder import with_output_dir


def main(argv: Sequence[str] | None = None, program: str = "crnn train", takes_all: bool = False) -> int:
    """Trains as the options say; returns the exit status, 128 + its number when stopped by a signal."""
    arguments = sys.argv[1:] if argv is None else argv

    def command() -> int:
        options = load_options(TrainOptions, arguments, program, __doc__ or "", takes_all)
        return run_job(with_output_dir(options), _train)

    return run_command(command, output_is_result=False)


def _train(options: TrainOptions) -> int:
    prepare_environment()
    # MindSpore reads its environment when it is imported.
    from crnn_mindspore.training.evaluating import create_evaluation
    from crnn_mindspore.training.run import run
    from crnn_mindspore.training.settled_options import (
        adopt_pretrained,
        for_overfitting,
        make_folders,
        settle_charset,
    )
    from crnn_mindspore.training.training_data import create_train_loader

    if options.overfit_batches:
        options = for_overfitting(options)
    options = adopt_pretrained(options)
    is_charset_derived = options.label_dict == AUTO
    options = settle_charset(options)
    check_derived(options)
    loader, hints = create_train_loader(options)
    evaluation = create_evaluation(options) if options.run_eval else None
    runtime = initialize(
        options.device_target,
        options.device_id,
        options.run_distribute,
        AscendChoices.of(options),
        options.deterministic,
    )
    if runtime.is_main:
        make_folders(options)
    return run(options, loader, hints, evaluation, runtime, saves_charset=is_charset_derived)
