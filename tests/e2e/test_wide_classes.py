"""Classes of several code points, and a space: trained, resumed, exported, read, evaluated and served."""

import json
from pathlib import Path

import pytest
from conftest import Run, write_folder
from running_service import PNG, service, word_png
from starlette.testclient import TestClient

import eval as eval_program
import export
import predict
from crnn_mindspore.cli import offline
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint, save_checkpoint

pytestmark = pytest.mark.slow

WORDS = ("dž", "džak", "an nja", "a dž", "kn", "njak")
CASES = {
    "several code points": ('["dž", "nj", "a", "d", "k", "n", " "]', (), "dž"),
    "a space": ("adkn", ("--with_space",), " "),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_of_such_an_alphabet_goes_all_the_way(
    case: str, train_tiny: Run, run_program: Run, tmp_path: Path
) -> None:
    label_dict, options, read = CASES[case]
    classes = tuple(json.loads(label_dict)) if label_dict[0] == "[" else (*label_dict, " ")
    file = tmp_path / "classes.txt"
    file.write_text("".join(f"{name}\n" for name in classes if name != " " or not options), encoding="utf-8")
    data = write_folder(tmp_path / "words", WORDS)
    training = ("--train_dataset=folder", f"--train_dataset_path={data}", f"--label_dict={file}", *options)
    saving = ("--save_checkpoint_steps=1", "--epoch_size=1000")
    outcome = train_tiny(*training, *saving, "--max_steps=2")
    assert outcome.status == 0, outcome
    outcome = train_tiny(*training, *saving, "--max_steps=3", "--resume_ckpt=auto")
    assert outcome.status == 0, outcome
    newest = read_checkpoint(
        str(max((tmp_path / "ckpt").glob("crnn-*.ckpt"), key=lambda p: p.stat().st_mtime))
    )
    artifact = newest.artifact
    assert artifact is not None
    assert (artifact.step, artifact.codec.classes) == (3, classes)
    assert json.loads(artifact.to_json())["format_version"] == (1 if options else 2)

    # One class is made to win at every step, so that the reading is known.
    weights = dict(newest.weights)
    bias = weights["rnn.1.embedding.bias"].copy()
    bias[classes.index(read)] += 100
    steered = tmp_path / "steered.ckpt"
    save_checkpoint(str(steered), {**weights, "rnn.1.embedding.bias": bias}, artifact)
    models = [steered]
    for form in ("ONNX", "MINDIR"):
        outcome = run_program(
            export.main,
            f"--ckpt_file={steered}",
            f"--file_name={tmp_path / 'model'}",
            f"--file_format={form}",
            "--device_target=CPU",
        )
        assert outcome.status == 0, outcome
        models.append(tmp_path / f"model.{form.lower()}")
    for model in models:
        assert open_backend(str(model)).artifact.codec == artifact.codec
        outcome = run_program(predict.main, data / "0.png", "--model", model, "--format=json", "--characters")
        (found,) = json.loads(outcome.out)
        assert (found["text"], [c["text"] for c in found["characters"]]) == (read, [read])
        assert found["confidence"] == pytest.approx(1.0)
        outcome = run_program(
            eval_program.main,
            f"--checkpoint_path={model}",
            "--eval_dataset=folder",
            f"--eval_dataset_path={data}",
            "--device_target=CPU",
        )
        assert f"correct num: {WORDS.count(read)} , total num: {len(WORDS)}" in outcome.out

    with service(Recognizer.load(str(models[1]))) as running:
        answer = TestClient(running.app).post(
            "/recognize?alignment=true", content=word_png("dž"), headers=PNG
        )
    (result,) = answer.json()["results"]
    assert result["text"] == read
    assert {step["character"] for step in result["alignment"]["steps"]} == {read}

    model = f"--checkpoint_path={models[2]}"
    inputs = ("--dataset=folder", f"--eval_dataset_path={data}", f"--ann_file={data}")
    lists, results = f"--inputs_path={tmp_path / 'in'}", f"--result_path={tmp_path / 'res'}"
    for program, arguments in (
        (offline.preprocess, (model, lists, *inputs)),
        (offline.infer_images, (model, lists, results)),
        (offline.postprocess, (model, results, *inputs)),
    ):
        outcome = run_program(program, *arguments)
        assert outcome.status == 0, outcome
    assert f"correct num: {WORDS.count(read)} , total num: {len(WORDS)}" in outcome.out


def test_an_alphabet_of_such_classes_is_adopted_and_grown(train_tiny: Run, tmp_path: Path) -> None:
    label_dict = '["dž", "nj", "a", "k", "n"]'
    data = write_folder(tmp_path / "words", WORDS)
    training = (
        "--train_dataset=folder",
        f"--train_dataset_path={data}",
        "--max_steps=1",
        "--epoch_size=1000",
    )
    first, second = tmp_path / "first", tmp_path / "second"
    assert train_tiny(*training, f"--label_dict={label_dict}", f"--save_checkpoint_path={first}").status == 0
    (start,) = first.glob("crnn-*.ckpt")
    outcome = train_tiny(*training, f"--pretrained={start}", f"--save_checkpoint_path={second}")
    assert outcome.status == 0, outcome
    (adopted,) = second.glob("crnn-*.ckpt")
    artifact = read_checkpoint(str(adopted)).artifact
    assert artifact is not None
    assert artifact.codec.classes == ("dž", "nj", "a", "k", "n")
    outcome = train_tiny(
        *training,
        f"--pretrained={start}",
        "--with_space=True",
        f"--save_checkpoint_path={tmp_path / 'third'}",
    )
    assert outcome.status == 0, outcome
    assert "characters kept: 5: dž nj a k n" in outcome.out
    assert "characters new: 1:  " in outcome.out
