"""Images a second of a training in one process and in several that average their gradients, on CPU cores.

    python benchmarks/data_parallel.py [--processes 2] [--batch_size 64] [--repeats 2] [--steps 8]

The whole program is measured, started as users start it, with its loader and its log; the first two steps,
which compile, are left out. All processes together use the cores that this one may use, so several are not
faster than one here: the figure is what the exchange of gradients costs.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.engines import cores, machine, markdown_table, paired_ratio

ROOT = Path(__file__).resolve().parents[1]
_COMPILING = 2  # steps


def main(argv: Sequence[str] | None = None) -> int:
    """Measures in turns and prints; 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch_size", type=int, default=64, help="images of a step, over all processes")
    parser.add_argument("--channel_scale", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=2, help="trainings of each kind")
    parser.add_argument("--steps", type=int, default=8, help="measured in each")
    args = parser.parse_args(argv)
    seconds: dict[int, list[float]] = {1: [], args.processes: []}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        words = str(work / "words")
        render = ["-m", "src", "render", f"--output_dir={words}", "--num_train=512", "--num_test=4"]
        subprocess.run([sys.executable, *render], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        for _ in range(args.repeats):
            for processes, found in seconds.items():
                found.extend(_train(words, work / f"run_{processes}_{len(found)}", processes, args))
    rows = []
    for processes, found in seconds.items():
        median = statistics.median(found)
        threads = max(1, cores() // processes)
        rows.append(
            [
                str(processes),
                str(args.batch_size // processes),
                str(threads),
                f"{median:.3f}",
                f"{min(found):.3f} to {max(found):.3f}",
                f"{args.batch_size / median:.1f}",
            ]
        )
    print(f"{machine()}; V2, channel scale {args.channel_scale:g}\n")
    header = ["processes", "batch of each", "threads of each", "s a step, median", "range", "images/s"]
    print(markdown_table(header, rows))
    ratio = paired_ratio(seconds[args.processes], seconds[1])
    print(f"\n{args.processes} processes to 1, seconds a step, median of pairs: {ratio:.2f}")
    return 0


def _train(words: str, folder: Path, processes: int, args: argparse.Namespace) -> list[float]:
    """Seconds of each step of one training."""
    options = [
        "--model_version=V2",
        "--train_dataset=synth",
        f"--train_dataset_path={words}",
        "--device_target=CPU",
        f"--batch_size={args.batch_size // processes}",
        f"--channel_scale={args.channel_scale}",
        f"--max_steps={args.steps + _COMPILING}",
        "--per_print_time=1",
        "--num_parallel_workers=1",
        "--save_checkpoint=False",
        f"--save_checkpoint_path={folder}",
        f"--output_dir={folder}",
    ]
    command = [str(ROOT / "train.py"), *options]
    if processes > 1:
        launch = ["-m", "src", "launch", "--platform=CPU", f"--log_dir={folder}"]
        command = [*launch, "--", *options, "--run_distribute=True"]
    threads = str(max(1, cores() // processes))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "DEVICE_NUM": str(processes)}
    subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with (folder / "train_log.csv").open(newline="") as file:
        rates = [float(row["images_per_second"]) for row in csv.DictReader(file)]
    return [args.batch_size / rate for rate in rates[_COMPILING:]]


if __name__ == "__main__":
    sys.exit(main())
