"""Starts `crnn train` once for each device of this server, and waits; run_distribute_train.sh calls it.

    crnn launch --platform CPU --log_dir LOGS -- --train_dataset=synth ...

DEVICE_NUM, WORKER_NUM, LOCAL_WORKER_NUM, MASTER_ADDR, MASTER_PORT, NODE_RANK, SERVER_ID, HOSTFILE and
LAUNCHER (msrun or mpirun) in the environment say where.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from crnn_mindspore.cli.command import run_command
from crnn_mindspore.errors import UserError
from crnn_mindspore.launch.former_logs import put_logs_aside
from crnn_mindspore.launch.log_links import link_logs
from crnn_mindspore.launch.plan import Job, create_plan, training_command
from crnn_mindspore.launch.supervisor import Supervisor
from crnn_mindspore.options.commands import LaunchOptions, TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.options.output_folder import with_output_dir


def main(argv: Sequence[str] | None = None, program: str = "crnn launch") -> int:
    """Returns 0 if all processes ended well, 2 for a mistake, 128 + its number after a signal."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: _launch(load_options(LaunchOptions, arguments, program, __doc__ or "")),
        output_is_result=False,
    )


def _launch(options: LaunchOptions) -> int:
    options.require("log_dir")
    # A mistake shows before the start.
    training = load_options(TrainOptions, options.options, "crnn train", takes_all=True)
    settled = with_output_dir(training).output_dir  # the same for all processes
    added = [f"--output_dir={settled}"] if settled != training.output_dir else []
    log_dir = Path(options.log_dir)
    job = Job(options.python, training_command(), (*options.options, *added), log_dir, os.environ)
    plan = create_plan(job, options.platform, options.rank_table)
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{log_dir}: {error.strerror}") from None
    put_logs_aside(log_dir)
    if options.rank_folders:
        link_logs(plan.rank_logs, options.rank_folders)
    return Supervisor(plan, job.program).run()
