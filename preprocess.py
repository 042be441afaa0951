"""Offline inference, step 1: lists the images of a data set for cpp_infer or infer.py.

    python preprocess.py --checkpoint_path=F.mindir --dataset=svt --eval_dataset_path=IMAGES \\
        --ann_file=ANNOTATION --inputs_path=preprocess_Result

Needs the description beside the MINDIR, not MindSpore. scripts/run_infer_310.sh runs all three steps.
"""

import sys
from collections.abc import Sequence

from src.data.annotated import load_annotated
from src.data.samples import SampleSource
from src.inference.artifact import Artifact, read_description
from src.inference.offline_inputs import write_inputs
from src.model_utils.command import run_command
from src.model_utils.config import Config, load_config


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the list as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _preprocess(load_config(arguments, __doc__ or "")))


def load_model_and_data(config: Config) -> tuple[Artifact, SampleSource]:
    """The model's description, and the data set of `dataset`, `eval_dataset_path` and `ann_file`."""
    config.require("checkpoint_path", "dataset", "eval_dataset_path", "ann_file")
    config.check_model()
    artifact = read_description(config.checkpoint_path)
    config.check_artifact(artifact, config.checkpoint_path)
    return artifact, load_annotated(config.dataset, config.eval_dataset_path, config.ann_file)


def _preprocess(config: Config) -> int:
    artifact, source = load_model_and_data(config)
    write_inputs(config.inputs_path, source, artifact, resize_here=config.resize_in_python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
