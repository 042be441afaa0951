"""Offline inference, step 2 on MindSpore's own runtime: what cpp_infer does on MindSpore Lite.

    python infer.py --checkpoint_path=F.mindir --inputs_path=preprocess_Result --result_path=result_Files \\
        --time_path=time_Result --device_target=CPU
"""

import sys
from collections.abc import Sequence

from src.inference.backend import open_backend
from src.inference.offline_inputs import read_inputs
from src.inference.offline_results import infer
from src.model_utils.command import run_command
from src.model_utils.config import Config, load_config


def main(argv: Sequence[str] | None = None) -> int:
    """Infers as the options say; the exit status is 1 if some images could not be read."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _infer(load_config(arguments, __doc__ or "")))


def _infer(config: Config) -> int:
    config.require("checkpoint_path", "result_path")
    inputs = read_inputs(config.inputs_path)
    report = infer(
        open_backend(config.checkpoint_path, config.device_target, config.device_id),
        inputs,
        config.result_path,
        config.time_path,
        batch_size=config.batch_size,
        on_unreadable=lambda reason: print(f"warning: unreadable image: {reason}", file=sys.stderr),
    )
    print(f"{report.images} of {len(inputs.images)} images inferred, batch size {report.batch_size}")
    if report.unreadable:
        print(f"warning: {report.unreadable} images could not be read", file=sys.stderr)
    return 1 if report.unreadable else 0


if __name__ == "__main__":
    sys.exit(main())
