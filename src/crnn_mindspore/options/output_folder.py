"""The folder that `output_dir: auto` means."""

import os
import time
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import TrainOptions

AUTO = "auto"
_PARENT = "output"


def with_output_dir(options: TrainOptions) -> TrainOptions:
    """The options, with a new folder of the date and time as output_dir where that is `auto`.

    Raises:
        UserError: For one of several processes, which cannot know the folder of the others.
    """
    if options.output_dir != AUTO:
        return options
    if options.run_distribute and os.environ.get("RANK_ID", os.environ.get("OMPI_COMM_WORLD_RANK")):
        raise UserError("output_dir auto: each process would take another folder; name one")
    return options.replaced(output_dir=dated_folder())


def dated_folder() -> str:
    """`output/2026-11-26_03-45-12`, with a number behind it where that is taken."""
    name = time.strftime("%Y-%m-%d_%H-%M-%S")
    folder, number = Path(_PARENT, name), 1
    while folder.exists():
        number += 1
        folder = Path(_PARENT, f"{name}_{number}")
    return str(folder)
