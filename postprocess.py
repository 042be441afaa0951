"""Offline inference, step 3: the accuracy from the result files of cpp_infer or infer.py.

    python postprocess.py --checkpoint_path=F.mindir --dataset=svt --eval_dataset_path=IMAGES \\
        --ann_file=ANNOTATION --result_path=result_Files

Takes the options of step 1, and prints what eval.py prints. Needs the description beside the MINDIR, not
MindSpore.
"""

import sys
from collections.abc import Sequence

from preprocess import load_model_and_data
from src.errors import UserError
from src.inference.calibration import calibrated
from src.inference.decoding import create_decoder
from src.inference.evaluator import save_predictions
from src.inference.offline_results import judge
from src.model_utils.command import run_command
from src.model_utils.config import Config, load_config


def main(argv: Sequence[str] | None = None) -> int:
    """Computes the accuracy as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _postprocess(load_config(arguments, __doc__ or "")))


def _postprocess(config: Config) -> int:
    config.require("result_path")
    if config.calibrate:
        raise UserError("calibrate: result files are read with a calibration, not fitted; use eval.py")
    decoding = config.decoding
    if decoding.image_lexicon is not None:
        raise UserError(f"lexicon {decoding.lexicon!r}: an annotation gives none; name a file of words")
    artifact, source = load_model_and_data(config)
    decoder = calibrated(create_decoder(decoding, artifact), config.checkpoint_path, artifact)
    evaluation = judge(
        source,
        artifact,
        decoder,
        config.result_path,
        config.protocol,
        decoding.reject_below,
    )
    data = [f"evaluation data: {line}" for line in source.report.lines()]
    for line in [*data, *evaluation.lines(), *decoder.notes()]:
        print(line)
    if config.save_predictions:
        save_predictions(evaluation, config.save_predictions)
        print(f"predictions: {config.save_predictions}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
