"""Starts train.py once for each device of this server, and waits; run_distribute_train.sh calls it.

    python launch.py --platform CPU --log_dir LOGS -- --train_dataset=synth ...

DEVICE_NUM, WORKER_NUM, LOCAL_WORKER_NUM, MASTER_ADDR, MASTER_PORT, NODE_RANK, SERVER_ID, HOSTFILE and
LAUNCHER (msrun or mpirun) in the environment say where.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from src.errors import UserError
from src.launch.plan import Job, Plan, plan_mpirun, plan_msrun, plan_rank_table, read_cluster
from src.launch.rank_table import find_server, read_rank_table
from src.launch.supervisor import Supervisor
from src.model_utils.command import OptionParser, run_command

SCRIPT = str(Path(__file__).resolve().parent / "train.py")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 if all processes ended well, 2 for a mistake, 128 + its number after a signal."""
    parser = OptionParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--platform", required=True, choices=("Ascend", "GPU", "CPU"))
    parser.add_argument("--rank_table", default="", help="Ascend: starts as this file says")
    parser.add_argument("--python", default=sys.executable, help="interpreter that trains")
    parser.add_argument("--log_dir", required=True, help="folder for one log a process")
    parser.add_argument("options", nargs="*", help="after --: options of train.py")
    args = parser.parse_args(argv)

    def command() -> int:
        log_dir = Path(args.log_dir)
        job = Job(args.python, SCRIPT, tuple(args.options), log_dir, os.environ)
        plan = create_plan(job, args.platform, args.rank_table)
        try:
            log_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{log_dir}: {error.strerror}") from None
        for old in log_dir.glob("worker_*.log"):
            old.unlink()
        return Supervisor(plan, SCRIPT).run()

    return run_command(command)


def create_plan(job: Job, platform: str, rank_table: str) -> Plan:
    """What to start on this server.

    Raises:
        UserError: If a variable is wrong, the rank table is, or a program is missing.
    """
    if rank_table:
        table = read_rank_table(rank_table)
        server = find_server(table, os.environ.get("SERVER_ID", ""))
        return plan_rank_table(job, table, server, Path(rank_table))
    launcher = os.environ.get("LAUNCHER", "msrun")
    if launcher not in ("msrun", "mpirun"):
        raise UserError(f"LAUNCHER is {launcher!r}, must be msrun or mpirun")
    if launcher == "mpirun" and platform == "CPU":
        raise UserError("LAUNCHER mpirun: MindSpore starts with it on Ascend and GPU; use msrun on a CPU")
    cluster = read_cluster(platform, os.environ)
    return plan_mpirun(job, cluster) if launcher == "mpirun" else plan_msrun(job, cluster)


if __name__ == "__main__":
    sys.exit(main())
