"""Missing, damaged, changed or unfitting models, through the programs: refused and named."""

from pathlib import Path

import pytest
from conftest import TINY_HIDDEN, Run, assert_refused

import eval as eval_program
import eval_onnx
import export
import predict

ROOT = Path(__file__).resolve().parents[2]


def test_a_missing_model_is_named_by_every_program(
    run_program: Run, train_tiny: Run, words_folder: Path, tmp_path: Path
) -> None:
    data = [f"--eval_dataset_path={words_folder}", "--eval_dataset=folder", "--device_target=CPU"]
    for ending in ("ckpt", "mindir", "onnx"):
        gone = tmp_path / f"gone.{ending}"
        assert_refused(run_program(eval_program.main, *data, f"--checkpoint_path={gone}"), str(gone))
        assert_refused(run_program(predict.main, words_folder, f"--model={gone}"), str(gone))
    gone = tmp_path / "gone.onnx"
    assert_refused(run_program(eval_onnx.main, *data, f"--file_name={gone}"), str(gone))
    gone = tmp_path / "gone.ckpt"
    assert_refused(run_program(export.main, f"--ckpt_file={gone}", "--device_target=CPU"), str(gone))
    for option in ("resume_ckpt", "pretrained"):
        outcome = train_tiny(
            "--train_dataset=folder", f"--train_dataset_path={words_folder}", f"--{option}={gone}"
        )
        assert_refused(outcome, f"no such checkpoint: {gone}")


@pytest.mark.parametrize(
    ("option", "own", "given"),
    [
        ("label_dict", "'abcdefghijklmnopqrstuvwxyz0123456789'", "'abc'"),
        ("hidden_size", "8", "256"),
        ("channel_scale", "0.0625", "0.5"),
        ("image_width", "100", "160"),
        ("model_version", "'V2'", "'V1'"),
    ],
)
@pytest.mark.parametrize("ending", ["ckpt", "mindir", "onnx"])
def test_a_model_of_another_charset_or_size_is_refused_with_both_values(
    run_program: Run, tiny_models, words_folder: Path, ending: str, option: str, own: str, given: str
) -> None:
    path = tiny_models["V2"].file(ending)
    outcome = run_program(
        eval_program.main,
        "--eval_dataset=folder",
        f"--eval_dataset_path={words_folder}",
        f"--checkpoint_path={path}",
        "--device_target=CPU",
        f"--{option}={given.strip(chr(39))}",
    )
    shown = {"hidden_size": "256", "image_width": "160"}.get(option, given)
    assert_refused(outcome, f"{path}: was made with {option} {own}, but {option} {shown} was given")


@pytest.mark.parametrize(
    ("start", "option", "message"),
    [
        *(
            (start, f"--hidden_size={2 * TINY_HIDDEN}", "hidden_size 8, but hidden_size 16")
            for start in ("resume_ckpt", "pretrained")
        ),
        ("pretrained", "--channel_scale=0.125", "channel_scale 0.0625, but channel_scale 0.125"),
        ("pretrained", "--model_version=V1", "model_version 'V2', but model_version 'V1'"),
        ("resume_ckpt", "--label_dict=abcdefghijklmnopqrstuvwxyz0987654321", "label_dict 'abc"),
        ("resume_ckpt", "--image_width=160", "image_width 100, but image_width 160"),
    ],
)
def test_training_does_not_go_on_from_a_model_of_another_charset_or_size(
    train_tiny: Run, words_folder: Path, tiny_models, start: str, option: str, message: str
) -> None:
    checkpoint = tiny_models["V2"].checkpoint
    outcome = train_tiny(
        "--train_dataset=folder", f"--train_dataset_path={words_folder}", f"--{start}={checkpoint}", option
    )
    assert_refused(outcome, f"{checkpoint}: was made with {message}")


def test_a_checkpoint_without_training_state_cannot_be_resumed(
    train_tiny: Run, words_folder: Path, tiny_models
) -> None:
    checkpoint = tiny_models["V2"].checkpoint
    outcome = train_tiny(
        "--train_dataset=folder", f"--train_dataset_path={words_folder}", f"--resume_ckpt={checkpoint}"
    )
    assert_refused(outcome, f"{checkpoint}: holds no training state to resume", "--pretrained")


@pytest.mark.parametrize("ending", ["ckpt", "mindir", "onnx"])
def test_a_damaged_model_is_refused_by_every_program(
    run_program: Run, copied, words_folder: Path, ending: str
) -> None:
    path = copied(ending)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    options = ["--eval_dataset=folder", f"--eval_dataset_path={words_folder}", "--device_target=CPU"]
    assert_refused(run_program(eval_program.main, *options, f"--checkpoint_path={path}"), f"{path}: ")
    assert_refused(run_program(predict.main, words_folder, f"--model={path}"), f"{path}: ")
    if ending == "ckpt":
        assert_refused(run_program(export.main, f"--ckpt_file={path}", "--device_target=CPU"), f"{path}: ")
    if ending == "onnx":
        assert_refused(run_program(eval_onnx.main, *options, f"--file_name={path}"), f"{path}: ")


# A protobuf field of that number and wire type 2, which announces 2 GB and ends.
HUGE_HEADER = b"\xff\xff\xff\xff\x07"
FOREIGN = {
    "empty": b"",
    "text": b"no model at all\n",
    "huge first field": b"\x0a" + HUGE_HEADER,
    "huge graph": b"\x08\x08\x3a" + HUGE_HEADER,
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("ending", ["ckpt", "mindir", "onnx"])
def test_a_foreign_file_is_refused(
    run_program: Run, copied, words_folder: Path, ending: str, content: bytes
) -> None:
    path = copied(ending)
    path.write_bytes(content)
    assert_refused(run_program(predict.main, words_folder, f"--model={path}"), f"{path}: ")


def test_a_model_under_the_ending_of_another_format_is_refused(
    run_program: Run, tiny_models, copied, words_folder: Path
) -> None:
    for ending in ("ckpt", "mindir", "onnx"):
        path = copied(ending)
        for other in {"ckpt", "mindir", "onnx"} - {ending}:
            path.write_bytes(tiny_models["V2"].file(other).read_bytes())
            assert_refused(run_program(predict.main, words_folder, f"--model={path}"), f"{path}: ")


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (b"\xff\xfe\x00", "its description is damaged"),
        (b"[" * 100_000, "its description is damaged"),
        (b"{}", "its description is damaged"),
    ],
)
def test_a_damaged_description_of_a_mindir_is_refused(
    run_program: Run, copied, words_folder: Path, description: bytes, message: str
) -> None:
    path = copied("mindir")
    path.with_suffix(".json").write_bytes(description)
    outcome = run_program(predict.main, words_folder, f"--model={path}")
    assert_refused(outcome, f"{path.with_suffix('.json')}: {message}")


def test_the_description_of_another_mindir_is_refused(
    run_program: Run, tiny_models, copied, words_folder: Path
) -> None:
    path = copied("mindir")
    other = tiny_models["V1"].mindir.with_suffix(".json")
    path.with_suffix(".json").write_bytes(other.read_bytes())
    outcome = run_program(predict.main, words_folder, f"--model={path}")
    assert_refused(outcome, f"{path}: its parameters do not have the hash in {path.with_suffix('.json')}")


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "{folder}/weights.bin"])
def test_an_onnx_file_that_keeps_weights_in_another_file_is_refused(
    run_program: Run, copied, words_folder: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    import onnx

    from crnn_mindspore.artifacts.onnx_digest import DIGEST_KEY, PLACEHOLDER, fill_in_digest

    path = copied("onnx")
    model = onnx.load(path)
    (digest,) = [entry for entry in model.metadata_props if entry.key == DIGEST_KEY]
    digest.value = PLACEHOLDER
    tensor = model.graph.initializer[0]
    for folder in (path.parent, path.parent.parent):  # the file is there and holds what it should
        (folder / "weights.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location.format(folder=path.parent))
    path.write_bytes(fill_in_digest(model.SerializeToString()))
    monkeypatch.chdir(path.parent)
    outcome = run_program(predict.main, words_folder, f"--model={path}")
    assert_refused(outcome, f"{path}: ONNX Runtime cannot load it: ", "External data path")


@pytest.mark.parametrize("ending", ["ckpt", "mindir"])
def test_changed_weights_are_refused(
    run_program: Run, copied, tiny_models, words_folder: Path, ending: str
) -> None:
    path = copied(ending)
    data = path.read_bytes()
    weight = tiny_models["V2"].weights["vgg.conv1.conv.weight"].tobytes()
    assert data.count(weight) == 1
    path.write_bytes(data.replace(weight, bytes(reversed(weight))))
    outcome = run_program(predict.main, words_folder, f"--model={path}")
    assert_refused(outcome, f"{path}: its parameters do not have the hash")
