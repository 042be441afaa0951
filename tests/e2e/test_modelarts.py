"""Training, evaluation and export as jobs of ModelArts, with a stand-in for MoXing."""

import json
import signal
from pathlib import Path

import pytest
from conftest import TINY_NETWORK, WORDS
from stand_ins import Jobs

from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def test_a_training_that_was_ended_goes_on_in_the_next_job_and_is_evaluated_and_exported(
    tmp_path: Path,
) -> None:
    jobs = Jobs(tmp_path)
    training = (
        *TINY_NETWORK,
        *("--train_dataset=folder", "--batch_size=4", "--lr_schedule=constant", "--per_print_time=1"),
        *("--save_checkpoint_path=ckpt", "--epoch_size=100000"),
    )
    with jobs.start("train.py", *training) as process:
        next(line for line in process.stdout if "epoch: [2/" in line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143, process.stdout.read()
    (saved,) = (jobs.bucket / "out" / "ckpt").glob("crnn-*.ckpt")
    result = json.loads((jobs.bucket / "out" / "output" / "train_result.json").read_text())
    assert Path(result["checkpoint"]).name == saved.name

    total = result["step"] + 1
    with jobs.start("train.py", *training, "--resume_ckpt=auto", f"--max_steps={total}") as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    assert f"at step {result['step']}" in printed
    assert "not options of this program, ignored: --init_method=tcp://job:6666" in printed
    (last,) = set((jobs.bucket / "out" / "ckpt").glob("crnn-*.ckpt")) - {saved}
    assert read_checkpoint_file(str(last)).artifact is not None

    model = "--checkpoint_url=obs://bucket/out/ckpt", f"--checkpoint_path={last.name}"
    evaluation = *model, "--eval_dataset=folder", "--result_json=result.json"
    with jobs.start("eval.py", *evaluation) as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    assert f"total num: {len(WORDS)}" in printed
    assert (jobs.bucket / "out" / "result.json").exists()

    with jobs.start("export.py", model[0], f"--ckpt_file={last.name}", "--file_format=ONNX") as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    assert (jobs.bucket / "out" / "crnn.onnx").stat().st_size > 0


@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_results_reach_the_address_whatever_the_streams_are(streams: str, tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    training = (
        *TINY_NETWORK,
        *("--train_dataset=folder", "--batch_size=4", "--save_checkpoint_path=ckpt", "--max_steps=1"),
    )
    with jobs.start("train.py", *training, before=("bash", "-c", f'exec "$@" {streams}', "bash")) as process:
        printed = process.stdout.read()
    assert (process.returncode, printed) == (0, "")
    assert (jobs.bucket / "out" / "ckpt" / "crnn-1_1.ckpt").exists()
    assert (jobs.bucket / "out" / "output" / "train_result.json").exists()


def test_a_training_that_cannot_begin_says_so_and_ends_with_2(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    with jobs.start(
        "train.py", *TINY_NETWORK, "--train_dataset=folder", "--train_dataset_path=no"
    ) as process:
        printed = process.stdout.read()
    assert process.returncode == 2, printed
    assert "error: " in printed
    assert str(tmp_path / "cache1" / "data_path" / "no") in printed


def test_a_second_run_to_the_same_address_keeps_the_first_ones_results(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    training = (
        *TINY_NETWORK,
        *("--train_dataset=folder", "--batch_size=4", "--save_checkpoint_path=ckpt", "--max_steps=1"),
        *("--per_print_time=1", "--run_eval=True", "--eval_start_epoch=1"),
    )
    out = jobs.bucket / "out"
    with jobs.start("train.py", *training) as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    (out / "large.bin").write_bytes(b"nothing that a run writes")
    before = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.*")}
    with jobs.start("train.py", *training, "--learning_rate=0.001") as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    assert "kept as crnn-best_1.ckpt" in printed
    assert "large.bin" not in printed
    for name in ("ckpt/crnn-1_1.ckpt", "large.bin"):
        assert (out / name).read_bytes() == before[name]
    for name in ("ckpt/crnn-best.ckpt", "output/train_log.csv", "output/train_result.json"):
        path = out / name
        assert path.with_name(f"{path.stem}_1{path.suffix}").read_bytes() == before[name]
        assert path.exists()
    assert (out / "ckpt" / "crnn_1-1_1.ckpt").exists()
