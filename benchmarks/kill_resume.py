"""Ends a training again and again, resumes it each time, and compares its end with an undisturbed one.

    python benchmarks/kill_resume.py [--kills 20] [--steps 90] [--seed 1] [--work_dir DIR]

A small V1 with dropout is trained by Adam with averaged weights, distorted images and evaluations, saving
after every second step. It is ended in turns by SIGKILL while a checkpoint is being written, SIGKILL at a
random moment, SIGTERM, SIGHUP, and SIGTERM to run_standalone_train_cpu.sh alone, which started it; always
after a random number of steps. Each resumption is `--resume_ckpt=auto`. Beside some of them a second training
is started in the same folder, which must be refused. The exit status is 0 if both last checkpoints
are the same file, byte for byte, every second training was refused, and every signal was obeyed.
"""

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import machine, markdown_table
from crnn_mindspore.training.checkpoints.checkpoint import TEMPORARY_GLOB

ROOT = Path(__file__).resolve().parents[1]
STEPS_PER_EPOCH = 10
_STEP_LINE = re.compile(r"^epoch: \[(\d+)/\d+\] step: \[(\d+)/\d+\]")
_POLL_SECONDS = 0.0005

WRITING, BETWEEN, TERM, HUP, SCRIPT = (
    "SIGKILL, writing",
    "SIGKILL",
    "SIGTERM",
    "SIGHUP",
    "SIGTERM to the script",
)
KINDS = (WRITING, BETWEEN, TERM, HUP, SCRIPT)
_SIGNALS = {TERM: signal.SIGTERM, HUP: signal.SIGHUP, SCRIPT: signal.SIGTERM}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs both trainings and prints what happened; 0 if they end equal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=90, help="of the training")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--work_dir", default="", help="kept; by default a temporary folder")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(args.work_dir or temporary)
        words = work / "words"
        _run(
            "-m",
            "src",
            "render",
            f"--output_dir={words}",
            f"--num_train={4 * STEPS_PER_EPOCH}",
            "--num_test=4",
        )
        _run(*_training(words, work / "whole", args.steps))
        rows = _disturbed(words, work / "killed", args)
        epoch, step = divmod(args.steps - 1, STEPS_PER_EPOCH)
        name = f"crnn-{epoch + 1}_{step + 1}.ckpt"
        digests = [
            hashlib.sha256((work / run / name).read_bytes()).hexdigest() for run in ("whole", "killed")
        ]
    refused = sum(row.second == "refused" for row in rows)
    second = sum(bool(row.second) for row in rows)
    writing = sum(row.moment == WRITING and row.hit for row in rows)
    print(f"{machine()}; {args.steps} steps, ended {len(rows)} times, {writing} within a save\n")
    table = [
        [str(n), row.moment, row.first, row.last, str(row.status), row.second]
        for n, row in enumerate(rows, start=1)
    ]
    heads = ["end", "by", "resumed at step", "ended after step", "status", "a second training"]
    print(markdown_table(heads, table))
    print(f"\n{refused} of {second} second trainings in the folder refused")
    print(f"last checkpoint, undisturbed: sha256 {digests[0]}")
    print(f"last checkpoint, ended often: sha256 {digests[1]}")
    print("equal" if digests[0] == digests[1] else "DIFFERENT")
    obeyed = all(row.status == row.expected for row in rows)
    return 0 if digests[0] == digests[1] and refused == second and obeyed else 1


@dataclass(frozen=True)
class Row:
    """One start and its end.

    Attributes:
        moment: Of `KINDS`.
        hit: Whether a checkpoint was being written at the end.
        first: The step it resumed at, "new" where it did not.
        last: The last step it logged.
        status: Its exit status.
        second: What a second training in the folder came to; "" where none was started.
    """

    moment: str
    hit: bool
    first: str
    last: str
    status: int
    second: str

    @property
    def expected(self) -> int:
        """The status that this end must have."""
        if self.moment in (WRITING, BETWEEN):
            return -signal.SIGKILL
        return 128 + _SIGNALS[self.moment]


def _training(words: Path, out: Path, steps: int) -> list[str]:
    return [
        "train.py",
        "--device_target=CPU",
        "--train_dataset=synth",
        f"--train_dataset_path={words}",
        "--model_version=V1",
        "--hidden_size=16",
        "--channel_scale=0.125",
        "--batch_size=4",
        "--optimizer=adam",
        "--learning_rate=0.001",
        "--ema_decay=0.9",
        "--augment=strong",
        "--run_eval=True",
        "--train_eval_dataset=synth",
        f"--train_eval_dataset_path={words}",
        "--eval_interval_steps=7",
        "--per_print_time=1",
        "--save_checkpoint_steps=2",
        "--keep_checkpoint_max=3",
        f"--max_steps={steps}",
        f"--save_checkpoint_path={out}",
        f"--output_dir={out}",
        "--resume_ckpt=auto",
    ]


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _disturbed(words: Path, out: Path, args: argparse.Namespace) -> list[Row]:
    """Trains with ends in between, then to the end; one row for each of them."""
    rng = random.Random(args.seed)
    rows = []
    for number in range(args.kills):
        moment = KINDS[number % len(KINDS)]
        row = _train_and_end(_training(words, out, args.steps), out, moment, rng)
        if row is None:
            print(f"the training ended before end {number + 1}: more --steps are needed", file=sys.stderr)
            break
        rows.append(row)
    _run(*_training(words, out, args.steps))
    return rows


def _train_and_end(options: list[str], out: Path, moment: str, rng: random.Random) -> Row | None:
    """Starts the training and ends it; None if it ended by itself."""
    steps_before = rng.randint(0, 3)
    first, last, seen, second = "", "none", 0, ""
    if moment == SCRIPT:  # data set and folder are among the options, which count
        script = ["bash", "scripts/run_standalone_train_cpu.sh", "synth", str(out.parent), "--", *options[1:]]
        command, environment = script, {**os.environ, "PYTHON": sys.executable}
    else:
        command, environment = [sys.executable, "-u", *options], dict(os.environ)
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " at step " in line and line.startswith("resumed from"):
                first = line.rsplit(" ", 1)[1].strip()
            match = _STEP_LINE.match(line)
            if match is None:
                continue
            last = str((int(match[1]) - 1) * STEPS_PER_EPOCH + int(match[2]))
            seen += 1
            if moment in (BETWEEN, TERM) and seen == 1:
                process.send_signal(signal.SIGSTOP)  # or it would be at its end before the other has started
                second = _start_second(options)
                process.send_signal(signal.SIGCONT)
            if seen > steps_before:
                break
        if moment == WRITING:
            while process.poll() is None and not any(out.glob(TEMPORARY_GLOB)):
                time.sleep(_POLL_SECONDS)
        else:
            time.sleep(rng.uniform(0, 0.3))
        if process.poll() is not None:
            return None
        process.send_signal(_SIGNALS.get(moment, signal.SIGKILL))
        process.stdout.read()
        status = process.wait()
    hit = moment == WRITING and any(out.glob(TEMPORARY_GLOB))
    return Row(moment, hit, first or "new", last, status, second)


def _start_second(options: list[str]) -> str:
    """Starts the same training in the same folder, where the first one is alive."""
    second = subprocess.run([sys.executable, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    is_refused = second.returncode == 2 and "another run that has not ended yet" in second.stderr
    return "refused" if is_refused else f"status {second.returncode}"


if __name__ == "__main__":
    sys.exit(main())
