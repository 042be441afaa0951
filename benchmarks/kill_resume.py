"""Kills a training again and again, resumes it each time, and compares its end with an undisturbed one.

    python benchmarks/kill_resume.py [--kills 20] [--steps 90] [--seed 1] [--work_dir DIR]

A small V1 with dropout is trained by Adam with averaged weights, distorted images and evaluations,
saving after every second step. It is killed with SIGKILL: every other time while a checkpoint is being
written, else at a random moment after a random number of steps. Each resumption is `--resume_ckpt=auto`. The
exit status is 0 if both last checkpoints are the same file, byte for byte.
"""

import argparse
import hashlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import machine, markdown_table
from crnn_mindspore.training.checkpoints.checkpoint import TEMPORARY_GLOB

ROOT = Path(__file__).resolve().parents[1]
STEPS_PER_EPOCH = 10
_STEP_LINE = re.compile(r"^epoch: \[(\d+)/\d+\] step: \[(\d+)/\d+\]")
_POLL_SECONDS = 0.0005


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
    writing = sum(row[1] == "writing a checkpoint" for row in rows)
    print(f"{machine()}; {args.steps} steps, {len(rows)} kills, {writing} while a checkpoint was written\n")
    print(markdown_table(["kill", "moment", "resumed at step", "killed after step"], rows))
    print(f"\nlast checkpoint, undisturbed: sha256 {digests[0]}")
    print(f"last checkpoint, killed:      sha256 {digests[1]}")
    print("equal" if digests[0] == digests[1] else "DIFFERENT")
    return 0 if digests[0] == digests[1] else 1


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


def _disturbed(words: Path, out: Path, args: argparse.Namespace) -> list[list[str]]:
    """Trains with kills, then to the end; one row for each kill."""
    rng = random.Random(args.seed)
    rows = []
    for kill in range(args.kills):
        waits_for_write = kill % 2 == 0
        row = _train_and_kill(_training(words, out, args.steps), out, waits_for_write, rng)
        if row is None:
            print(f"the training ended before kill {kill + 1}: more --steps are needed", file=sys.stderr)
            break
        rows.append([str(kill + 1), *row])
    _run(*_training(words, out, args.steps))
    return rows


def _train_and_kill(
    command: list[str], out: Path, waits_for_write: bool, rng: random.Random
) -> list[str] | None:
    """Starts the training and kills it; returns moment, first and last step, None if it ended by itself."""
    steps_before = rng.randint(0, 3)
    first, last, seen = "", "none", 0
    with subprocess.Popen(
        [sys.executable, "-u", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
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
            if seen > steps_before:
                break
        if waits_for_write:
            while process.poll() is None and not any(out.glob(TEMPORARY_GLOB)):
                time.sleep(_POLL_SECONDS)
        else:
            time.sleep(rng.uniform(0, 0.3))
        if process.poll() is not None:
            return None
        process.send_signal(signal.SIGKILL)
    moment = "writing a checkpoint" if any(out.glob(TEMPORARY_GLOB)) else "between"
    return [moment, first or "new", last]


if __name__ == "__main__":
    sys.exit(main())
