"""Training, evaluation, reading, export and starts on a pretended Ascend, beside the same on a CPU.

The kernels are the CPU's in both; what differs is what the profile decides.
"""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mindspore as ms
import pytest
from conftest import TINY_NETWORK, WORDS, TinyModel, write_folder, write_synth
from pretended_ascend.pretended import install, read_records
from test_positions_task import CLOCK, TAGS, write_clocks, write_tags

import eval as eval_program
import export
import predict
import train
from crnn_mindspore.cli import offline
from crnn_mindspore.networks.lstm import LSTM
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
STEPS = 20
LONGER = ("a", "it", "wonderful", "international", "extraordinary")

Records = list[tuple[str, Any]]


@dataclass(frozen=True)
class Side:
    """What one of the two machines wrote, and what MindSpore was told there."""

    folder: Path
    records: Records
    printed: list[str] = field(default_factory=list)

    def told(self, name: str) -> list[Any]:
        return [what for called, what in self.records if called == name]

    def compiled(self, cell: str = "") -> list[list[list[int | None]]]:
        return [what["shapes"] for what in self.told("compile") if cell in ("", what["cell"])]

    def losses(self) -> list[float]:
        """Of each update, as the log gives them: with six digits behind the point."""
        return [float(loss) for loss in re.findall(r"loss: ([\d.]+), lr", "".join(self.printed))]

    def texts(self, name: str) -> list[str]:
        return [entry["prediction"] for entry in json.loads((self.folder / name).read_text())]


@pytest.fixture(scope="module")
def pretend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Records]]:
    """Pretends an Ascend until the end of the module, or until it is called again."""
    patch = pytest.MonkeyPatch()
    cache = tmp_path_factory.mktemp("cache")

    def begin(chip: str = "ascend910b") -> Records:
        patch.undo()
        records: Records = []
        if chip:
            patch.setenv("XDG_CACHE_HOME", str(cache))
            patch.delenv("RANK_TABLE_FILE", raising=False)
            install(ms, lambda name, what: records.append((name, what)), chip, patch.setattr)
        return records

    yield begin
    patch.undo()


def call(main: Callable[[list[str]], int], *options: object) -> str:
    """What a command prints; it must end well."""
    with redirect_stdout(io.StringIO()) as printed:
        assert main([str(option) for option in options]) == 0
    return printed.getvalue()


@pytest.fixture(scope="module")
def sides(
    pretend: Callable[..., Records], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Side]]:
    """The same commands on the CPU and, with an LSTM in float32, on the pretended Ascend."""
    folder = tmp_path_factory.mktemp("sides")
    data = write_folder(folder / "words", [*WORDS, *LONGER])
    found = {}
    for name, chip, further in (("cpu", "", []), ("ascend", "ascend910b", ["--lstm_kernel=cells"])):
        side = Side(folder / name, pretend(chip))
        own = [f"--device_target={'Ascend' if chip else 'CPU'}", *further]
        printed = call(
            train.main,
            *TINY_NETWORK,
            *own,
            "--train_dataset=folder",
            f"--train_dataset_path={data}",
            *("--run_eval=True", "--train_eval_dataset=folder", f"--train_eval_dataset_path={data}"),
            *("--batch_size=4", "--eval_batch_size=5", "--amp_level=O0", f"--max_steps={STEPS}"),
            *("--learning_rate=0.001", "--per_print_time=1", "--eval_interval=100"),
            f"--save_checkpoint_path={side.folder / 'ckpt'}",
            f"--output_dir={side.folder / 'out'}",
        )
        side.printed.append(printed)
        # Both go on from the same weights.
        model = next((folder / "cpu" / "ckpt").glob("crnn-*_*.ckpt"))
        evaluation = ["--eval_dataset=folder", f"--eval_dataset_path={data}", "--eval_batch_size=5"]
        written = f"--save_predictions={side.folder / 'eval.json'}"
        call(eval_program.main, f"--checkpoint_path={model}", *evaluation, *own, written)
        call(export.main, f"--ckpt_file={model}", f"--file_name={side.folder / 'm'}", *own)
        common = [f"--checkpoint_path={side.folder / 'm.mindir'}", "--dataset=folder", *own]
        common += [f"--eval_dataset_path={data}", f"--ann_file={data}"]
        inputs, results = f"--inputs_path={side.folder / 'in'}", f"--result_path={side.folder / 'results'}"
        call(offline.preprocess, *common, inputs)
        call(offline.infer_images, *common, inputs, results, f"--time_path={side.folder / 'time'}")
        call(offline.postprocess, *common, results, f"--save_predictions={side.folder / 'offline.json'}")
        found[name] = side
    yield found
    pretend("")


def test_losses_are_those_of_the_cpu_and_texts_are_the_same(sides: dict[str, Side]) -> None:
    cpu, ascend = sides["cpu"], sides["ascend"]
    assert len(cpu.losses()) == STEPS
    assert ascend.losses() == pytest.approx(cpu.losses(), abs=1e-4)
    assert cpu.losses()[-1] < cpu.losses()[0] - 1
    for name in ("eval.json", "offline.json"):
        assert ascend.texts(name) == cpu.texts(name)
        assert len(cpu.texts(name)) == len(WORDS) + len(LONGER)  # the last batch was not full
    with (
        (ascend.folder / "out" / "eval_log.csv").open() as file,
        (cpu.folder / "out" / "eval_log.csv").open() as other,
    ):
        rows = [float(row["loss"]) for row in csv.DictReader(file)]
        assert rows == pytest.approx([float(row["loss"]) for row in csv.DictReader(other)], abs=1e-4)


def test_no_graph_has_an_open_size(sides: dict[str, Side]) -> None:
    ascend = sides["ascend"]
    seen = [*ascend.told("set_inputs"), *ascend.compiled(), *(e["shapes"] for e in ascend.told("export"))]
    assert len(seen) > STEPS
    assert not [shapes for shapes in seen if any(None in shape for shape in shapes if shape is not None)]
    # One graph for training, one for both evaluations; the exported one takes one image.
    assert {str(shapes[0]) for shapes in ascend.compiled("CRNNForTrain")} == {"[4, 3, 32, 100]"}
    assert {str(shapes[0]) for shapes in ascend.compiled("CRNN")} <= {"[5, 3, 32, 100]", "[1, 3, 32, 100]"}
    assert {str(shapes[0]) for shapes in ascend.compiled("GraphCell")} == {"[1, 3, 32, 100]"}
    assert [e["shapes"] for e in ascend.told("export")] == [[[1, 3, 32, 100]]]


def test_the_settings_are_what_mindspore_was_told(sides: dict[str, Side]) -> None:
    ascend = sides["ascend"]
    names = [name for name, _ in ascend.records]
    first = names.index("set_device")
    begin = ascend.records[: first + 1]
    assert ("set_context", {"jit_config": {"jit_level": "O0"}}) in begin
    assert ("set_deterministic", True) in begin
    assert ascend.told("set_device")[0] == ["Ascend", 0]
    assert len(ascend.told("set_deterministic")) == 1  # training alone promises the same bits
    cached = [what for what in ascend.told("compile") if what.get("cache", [None])[0] == "1"]
    assert {what["cell"] for what in cached} == {"CRNNForTrain", "CRNN", "GraphCell"}
    assert len({what["cache"][1] for what in cached}) == len(cached)  # a folder for each graph
    recorded = read_checkpoint(str(next((ascend.folder / "ckpt").glob("crnn-*_*.ckpt")))).state
    assert recorded is not None
    chosen = {name: recorded.options[name] for name in ("ctc_operator", "lstm_kernel", "overflow_check")}
    assert chosen == {"ctc_operator": "CTCLoss", "lstm_kernel": "cells", "overflow_check": "status"}
    assert recorded.options["loss_scale"] == 512.0


def train_one(folder: Path, *options: object) -> str:
    """A few updates of a tiny network, with an evaluation at their end; what it prints."""
    return call(
        train.main,
        *("--device_target=Ascend", "--max_steps=3", "--run_eval=True", "--train_eval_dataset=folder"),
        f"--save_checkpoint_path={folder / 'ckpt'}",
        f"--output_dir={folder / 'out'}",
        *options,
    )


def test_half_precision_differs_by_little_and_kept_graphs_are_the_same(
    sides: dict[str, Side], pretend: Callable[..., Records], tmp_path: Path
) -> None:
    data = sides["cpu"].folder.parent / "words"
    paths = f"--train_dataset_path={data}", f"--train_eval_dataset_path={data}"
    common = (*TINY_NETWORK, "--train_dataset=folder", *paths, "--batch_size=4", "--learning_rate=0.001")
    first, again = (Side(tmp_path / name, pretend()) for name in ("first", "again"))
    for side in (first, again):
        cache = f"--compile_cache={tmp_path / 'graphs'}"
        side.printed.append(train_one(side.folder, *common, "--per_print_time=1", cache))
    assert again.losses() == first.losses()
    assert first.losses() == pytest.approx(sides["cpu"].losses()[:3], rel=0.02)
    text = "".join(first.printed + again.printed)
    assert "convolutions, LSTM and dense layers in half precision, loss scale 512" in text
    assert "training on images (4, 3, 32, 100): compiling at jit_level O0, takes minutes" in text
    assert "training on images (4, 3, 32, 100): compiling at jit_level O0, kept from before" in text
    assert text.count("takes minutes") == text.count("kept from before") == 2
    pretend("")


@pytest.mark.parametrize("task", ["clock", "tags", "lines"])
def test_every_task_trains_and_is_evaluated(
    task: str, pretend: Callable[..., Records], tmp_path: Path
) -> None:
    side = Side(tmp_path, pretend())
    if task == "lines":
        data = write_folder(tmp_path / "data", WORDS)
        own = ["--task=lines", "--channel_scale=0.0625", "--hidden_size=8", "--batch_size=4"]
        own += [
            "--lr_schedule=constant",
            "--train_dataset=folder",
            "--label_dict=abcdefghijklmnopqrstuvwxyz0123456789",
        ]
    else:
        write, text = {"clock": (write_clocks, CLOCK), "tags": (write_tags, TAGS)}[task]
        data = write(tmp_path / "data") or tmp_path / "data"
        (tmp_path / f"{task}.yaml").write_text(text)
        own = [f"--task={tmp_path / f'{task}.yaml'}"]
    paths = f"--train_dataset_path={data}", f"--train_eval_dataset_path={data}", "--eval_batch_size=3"
    train_one(tmp_path, *own, *paths)
    seen = [*side.told("set_inputs"), *side.compiled()]
    assert not [shapes for shapes in seen if any(None in shape for shape in shapes if shape is not None)]
    evaluated = [shapes for shapes in side.compiled() if len(shapes) == 1 and len(shapes[0] or []) == 4]
    assert {shapes[0][0] for shapes in evaluated} == {3}
    pretend("")


def test_images_that_keep_their_ratio_have_one_graph_for_each_width(
    tiny_models: dict[str, TinyModel],
    pretend: Callable[..., Records],
    tmp_path: Path,
) -> None:
    data = write_folder(tmp_path / "data", [*WORDS, *LONGER])
    printed, sides = [], []
    for chip, device in (("", "CPU"), ("ascend910b", "Ascend")):
        side = Side(tmp_path, pretend(chip))
        options = f"--model={tiny_models['V2'].checkpoint}", "--keep_ratio", "--batch_size=4", "--format=json"
        read = call(predict.main, data, *options, f"--device_target={device}", "--lstm_kernel=cells")
        printed.append([entry["text"] for entry in json.loads(read)])
        sides.append(side)
    assert printed[0] == printed[1]
    shapes = [tuple(shapes[0]) for shapes in sides[1].compiled("CRNN")]
    assert {shape[0] for shape in shapes} == {4}
    assert len({shape[3] for shape in shapes}) > 1
    pretend("")


def test_a_job_of_modelarts_starts_by_rank_table_at_o2(
    pretend: Callable[..., Records], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_synth(tmp_path / "data", WORDS)
    side = Side(tmp_path, pretend())
    for name, value in {
        "RANK_TABLE_FILE": "/user/config/jobstart_hccl.json",
        "ASCEND_DEVICE_ID": "3",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("RANK_ID", "RANK_SIZE", "DEVICE_ID", "MS_ROLE"):
        monkeypatch.delenv(name, raising=False)
    call(
        train.main,
        *TINY_NETWORK,
        *("--enable_modelarts=True", f"--data_url={tmp_path / 'data'}", f"--train_url={tmp_path / 'run'}"),
        *("--train_dataset=synth", "--batch_size=4", "--max_steps=1", "--save_checkpoint_path=ckpt"),
    )
    monkeypatch.delenv("DEVICE_ID", raising=False)  # set for MindSpore
    assert {"jit_config": {"jit_level": "O2"}} in side.told("set_context")
    assert side.told("set_device") == [["Ascend", 3]]
    assert list((tmp_path / "run" / "ckpt").glob("*.ckpt"))
    pretend("")


def test_two_processes_start_by_msrun_deterministic_before_they_join(tmp_path: Path) -> None:
    data = write_synth(tmp_path / "data", WORDS)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python").symlink_to(sys.executable)
    record = tmp_path / "told.jsonl"
    own = ("RANK", "DEVICE", "WORKER", "LOCAL_W", "MASTER", "NODE", "SERVER", "LAUNCHER", "MS_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    environment |= {
        "PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT / "tests" / "pretended_ascend"),
        "PRETENDED_ASCEND_RECORD": str(record),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "DEVICE_NUM": "2",
        "EXTRA_OPTIONS": " ".join([*TINY_NETWORK, "--batch_size=2", "--max_steps=2"]),
    }
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "run_distribute_train.sh"), "synth", str(data), "Ascend"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    processes = read_records(record)
    assert len(processes) == 3  # msrun's scheduler runs the program too
    for records in processes.values():
        told = [name for name, _ in records]
        assert told.index("set_deterministic") < told.index("set_device") < told.index("init")
        assert ("set_device", ["Ascend", None]) in records
    assert list((tmp_path / "train_parallel" / "ckpt").glob("*.ckpt"))


def test_the_layers_are_the_ones_that_can_be_unrolled() -> None:
    assert issubclass(LSTM, ms.nn.LSTM)
