"""A training that was interrupted ends where an uninterrupted one ends, to the last bit."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_SCALE, WORDS, Run, write_folder

import train
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
STEPS_PER_EPOCH = 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 images: 6 batches of 4."""
    return write_folder(tmp_path / "words", WORDS * 3)


def options(data: Path, out: Path, *further: str) -> list[str]:
    return [
        "--device_target=CPU",
        "--train_dataset=folder",
        f"--train_dataset_path={data}",
        "--model_version=V2",
        f"--hidden_size={TINY_HIDDEN}",
        f"--channel_scale={TINY_SCALE}",
        "--batch_size=4",
        f"--save_checkpoint_path={out}",
        f"--output_dir={out}",
        *further,
    ]


def assert_same_training(first: Path, second: Path) -> None:
    a, b = read_checkpoint(str(first)), read_checkpoint(str(second))
    assert a.state == b.state
    assert a.artifact == b.artifact
    assert a.others.keys() == b.others.keys()
    assert len(a.others) > 10  # the optimiser's state is among them
    for found, expected in ((a.weights, b.weights), (a.others, b.others)):
        for name, array in expected.items():
            assert np.array_equal(found[name], array), name


# Each training compiles for seconds: few recipes, that have all the kinds of state between them.
RECIPES = {
    "adamw-averaged-augmented-evaluated": [
        "--optimizer=adamw",
        "--weight_decay=0.01",
        "--ema_decay=0.8",
        "--lr_schedule=cosine_step",
        "--warmup_steps=3",
        "--augment=strong",
        "--run_eval=True",
        "--eval_interval_steps=3",
    ],
    "adadelta-rendered-accumulated": [
        "--optimizer=adadelta",
        "--train_dataset=render",
        "--batch_size=2",
        "--accumulate_steps=2",
        f"--render_epoch_images={4 * STEPS_PER_EPOCH}",
    ],
    "radam-epochs": [
        "--optimizer=radam",
        "--weight_decay=0.01",
        "--gamma_decay=0.02",
        "--gamma_l1=0.3",
        "--learning_rate=0.001",
        "--lr_schedule=epochs",
        "--lr_epochs=1",
        "--lr_values=1e-4",
        "--warmup_steps=2",
    ],
    "sgd-V1-dropout": ["--model_version=V1", "--lr_schedule=constant", "--gamma_l1=0.01"],
}


@pytest.mark.parametrize(
    ("recipe", "steps"),
    [(recipe, STEPS_PER_EPOCH if recipe.startswith("adamw") else 4) for recipe in RECIPES],
)
def test_a_resumed_training_ends_as_the_uninterrupted_one(
    run_program: Run, folder: Path, tmp_path: Path, recipe: str, steps: int
) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    common = [*RECIPES[recipe], f"--max_steps={2 * steps}", f"--save_checkpoint_steps={steps}"]
    common += ["--train_eval_dataset=folder", f"--train_eval_dataset_path={folder}"]
    assert run_program(train.main, *options(folder, whole, *common)).status == 0
    epoch, step = divmod(steps - 1, STEPS_PER_EPOCH)
    halfway = whole / f"crnn-{epoch + 1}_{step + 1}.ckpt"
    outcome = run_program(train.main, *options(folder, resumed, *common, f"--resume_ckpt={halfway}"))
    assert outcome.status == 0, outcome
    assert f"resumed from {halfway} at step {steps}" in outcome.out
    epoch, step = divmod(2 * steps - 1, STEPS_PER_EPOCH)
    last = f"crnn-{epoch + 1}_{step + 1}.ckpt"
    assert_same_training(resumed / last, whole / last)
    before, after = read_checkpoint(str(halfway)).weights, read_checkpoint(str(whole / last)).weights
    assert not np.array_equal(before["vgg.conv1.conv.weight"], after["vgg.conv1.conv.weight"])


def test_an_interrupted_training_saves_ends_with_143_and_goes_on(
    run_program: Run, folder: Path, tmp_path: Path
) -> None:
    interrupted, whole = tmp_path / "interrupted", tmp_path / "whole"
    common = ["--lr_schedule=constant", "--save_checkpoint_steps=100000", "--per_print_time=1"]
    command = [sys.executable, "-u", str(ROOT / "train.py"), *options(folder, interrupted, *common)]
    with subprocess.Popen(
        [*command, "--epoch_size=100000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "epoch: [2/" in line:
                process.send_signal(signal.SIGTERM)
                break
        lines += process.stdout.readlines()
        assert process.wait(timeout=60) == 128 + signal.SIGTERM, lines
    assert any("SIGTERM: finishing the step and saving" in line for line in lines)
    (saved,) = interrupted.glob("crnn-*.ckpt")
    steps = read_checkpoint(str(saved)).state.step
    result = json.loads((interrupted / "train_result.json").read_text())
    assert (result["step"], result["checkpoint"]) == (steps, str(saved))

    total = steps + 3
    common += [f"--max_steps={total}", "--epoch_size=100000"]
    outcome = run_program(train.main, *options(folder, interrupted, *common, "--resume_ckpt=auto"))
    assert outcome.status == 0, outcome
    assert f"resume_ckpt auto: {saved}" in outcome.out
    assert run_program(train.main, *options(folder, whole, *common)).status == 0
    (last,) = [p for p in interrupted.glob("crnn-*.ckpt") if p != saved]
    assert_same_training(last, whole / last.name)


def test_a_second_run_is_refused_and_a_killed_one_goes_on_to_the_same_end(
    run_program: Run, folder: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    common = ["--lr_schedule=constant", "--save_checkpoint_steps=1", "--keep_checkpoint_max=3"]
    endless = [*common, "--epoch_size=100000", "--per_print_time=1"]
    with subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "train.py"), *options(folder, out, *endless)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        next(line for line in process.stdout if "step: [2/" in line)
        outcome = run_program(train.main, *options(folder, out, *common, "--max_steps=1"))
        assert outcome.status == 2, outcome
        assert f"{out}: another run that has not ended yet writes here" in outcome.err
        process.kill()
        process.stdout.read()
    saved = max(out.glob("crnn-*.ckpt"), key=lambda path: read_checkpoint(str(path)).state.step)
    total = read_checkpoint(str(saved)).state.step + 2
    further = [*common, f"--max_steps={total}", "--epoch_size=100000"]
    outcome = run_program(train.main, *options(folder, out, *further, "--resume_ckpt=auto"))
    assert outcome.status == 0, outcome
    assert f"resume_ckpt auto: {saved}" in outcome.out
    assert run_program(train.main, *options(folder, whole, *further)).status == 0
    epoch, step = divmod(total - 1, STEPS_PER_EPOCH)
    last = f"crnn-{epoch + 1}_{step + 1}.ckpt"
    assert_same_training(out / last, whole / last)


def test_ctrl_c_saves_and_stops(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-u", str(ROOT / "train.py"), *options(folder, tmp_path / "out")]
    with subprocess.Popen(
        [*command, "--epoch_size=100000", "--per_print_time=1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        next(line for line in process.stdout if "epoch: [1/" in line)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        # MindSpore turns SIGINT into SIGTERM while it computes.
        assert process.wait(timeout=60) in (128 + signal.SIGINT, 128 + signal.SIGTERM), rest
    assert "finishing the step and saving" in rest
    assert len(list((tmp_path / "out").glob("crnn-*.ckpt"))) == 1


def test_one_command_serves_the_first_start_and_every_other_even_of_a_finished_training(
    run_program: Run, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = options(folder, out, "--max_steps=2", "--resume_ckpt=auto")
    outcome = run_program(train.main, *arguments)
    assert outcome.status == 0
    assert f"resume_ckpt auto: no checkpoint in {out}, a new training" in outcome.out
    result = (out / "train_result.json").read_bytes()
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    outcome = run_program(train.main, *arguments)
    assert outcome.status == 0, outcome
    assert "crnn-1_2.ckpt: is at step 2 of 2: nothing left to train" in outcome.out
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (out / "train_result.json").unlink()
    assert run_program(train.main, *arguments).status == 0
    found = json.loads((out / "train_result.json").read_bytes())
    assert (found["step"], found["checkpoint"]) == (2, json.loads(result)["checkpoint"])


def test_pretrained_weights_start_a_new_training(
    run_program: Run, folder: Path, tmp_path: Path, tiny_models
) -> None:
    start = tiny_models["V2"].checkpoint
    arguments = ["--max_steps=1", "--learning_rate=1e-30", f"--pretrained={start}", "--ema_decay=0.5"]
    outcome = run_program(train.main, *options(folder, tmp_path / "out", *arguments))
    assert outcome.status == 0, outcome
    found = read_checkpoint(str(tmp_path / "out" / "crnn-1_1.ckpt"))
    assert found.state.step == 1
    for name, array in tiny_models["V2"].weights.items():
        if "moving" not in name:  # a rate of almost 0 leaves the weights, not the statistics
            np.testing.assert_allclose(found.weights[name], array, rtol=1e-6, err_msg=name)


def test_auto_passes_over_a_damaged_checkpoint(run_program: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    common = ["--lr_schedule=constant", "--save_checkpoint_steps=1", "--resume_ckpt=auto"]
    assert run_program(train.main, *options(folder, out, *common, "--max_steps=2")).status == 0
    newest = out / "crnn-1_2.ckpt"
    newest.write_bytes(newest.read_bytes()[:-1000])
    (out / f".{newest.stem}.1.tmp.ckpt").write_bytes(b"half")  # as `whole_file` names it
    outcome = run_program(train.main, *options(folder, out, *common, "--max_steps=3"))
    assert outcome.status == 0, outcome
    assert f"{newest}: not a whole MindSpore checkpoint" in outcome.out
    assert f"resumed from {out / 'crnn-1_1.ckpt'} at step 1" in outcome.out
    names = [f"crnn-1_{k}.ckpt" for k in (1, 2, 3)] + ["crnn-1_2_1.ckpt"]  # the damaged one
    assert sorted(p.name for p in out.glob("*crnn*")) == sorted(names)


# A file may not grow beyond a size: to a program the same as a full disk, and it needs no disk of its own.
SMALL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
import train
sys.exit(train.main(sys.argv[1:]))
"""


def test_a_full_disk_leaves_the_last_good_checkpoint(run_program: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    common = ["--lr_schedule=constant", "--save_checkpoint_steps=1", "--on_save_failure=continue"]
    assert run_program(train.main, *options(folder, out, *common, "--max_steps=1")).status == 0
    good = out / "crnn-1_1.ckpt"
    before = good.read_bytes()
    assert len(before) > 60_000
    program = [sys.executable, "-c", SMALL_DISK, *options(folder, out, *common, "--max_steps=3")]
    result = subprocess.run(
        [*program, "--resume_ckpt=auto"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 2, result
    assert "crnn-1_2.ckpt: the checkpoint cannot be written" in result.stdout + result.stderr
    assert f"training stops at step 3, the newest checkpoint is {good}" in result.stderr
    assert "Traceback" not in result.stderr
    assert [p.name for p in out.glob("*crnn*")] == [good.name]
    assert good.read_bytes() == before
    outcome = run_program(train.main, *options(folder, out, *common, "--max_steps=2", "--resume_ckpt=auto"))
    assert (outcome.status, "at step 1" in outcome.out) == (0, True), outcome


def test_an_optimiser_that_was_another_is_refused(run_program: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_program(train.main, *options(folder, out, "--max_steps=1")).status == 0
    arguments = ["--max_steps=2", "--optimizer=adam", f"--resume_ckpt={out / 'crnn-1_1.ckpt'}"]
    outcome = run_program(train.main, *options(folder, out, *arguments))
    assert outcome.status == 2
    assert "crnn-1_1.ckpt: was trained with optimizer 'sgd', which cannot become 'adam'" in outcome.err
    assert "--pretrained" in outcome.err
