"""A kind of output of the user's own: the example of docs/tasks.md, as it stands there."""

import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run, assert_refused
from positions_reference import write_positions_model

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.model_path import resolve_model
from crnn_mindspore.cli import main as crnn
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.tasks import finding
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork

ROOT = Path(__file__).resolve().parents[2]
NAME = "mykinds.tickets"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's module, where Python finds it."""
    (code,) = re.findall(
        r"^```py\n(.*?)^```$", (ROOT / "docs/tasks.md").read_text(), re.DOTALL | re.MULTILINE
    )
    (tmp_path / "mykinds").mkdir()
    (tmp_path / "mykinds" / "tickets.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(finding, "_named_by_the_user", set())
    finding._kind_in.cache_clear()
    yield
    for name in ("mykinds", NAME):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("module")
def test_a_kind_of_the_page_reads_only_what_has_its_form_and_is_imported_only_when_named() -> None:
    codec = PositionsCodec(layout_of({"text": ["AB", "0123456789", "0123456789"]}))
    model = Artifact(codec, Preprocessing(32, 48), PositionsNetwork("character_net"), task=NAME)
    with pytest.raises(UserError, match=r"give --task=mykinds\.tickets to use"):
        model.decoder()
    finding.allow_module(NAME)
    logits = np.zeros((3, 1, 10), np.float32)
    logits[0, 0, 1], logits[1, 0, 4] = 5, 5
    logits[2, 0, [7, 8, 2]] = 5, 4, 3  # 4 + 7 is odd
    assert [reading.text for reading in model.decoder().best(logits, 2)[0]] == ["B48", "B42"]
    assert Artifact.from_json(model.to_json(), "a.json") == model


TICKETS = """
positions:
  text: [AB, "0123456789", "0123456789"]
model_version: character_net
channel_scale: 0.125
image_width: 48
"""


def write_tickets(root: Path, *labels: str) -> Path:
    """Images with these labels, in the layout folder."""
    root.mkdir()
    for number, _ in enumerate(labels):
        image = np.random.default_rng(number).integers(0, 256, (32, 48, 3), dtype=np.uint8)
        cv2.imwrite(str(root / f"{number}.png"), image)
    (root / "labels.tsv").write_text("".join(f"{k}.png\t{label}\n" for k, label in enumerate(labels)))
    return root


@pytest.mark.usefixtures("module")
def test_labels_are_checked_by_a_kind_of_ones_own(run_program: Run, tmp_path: Path) -> None:
    (tmp_path / "mykinds" / "tickets.yaml").write_text(TICKETS)
    data = write_tickets(tmp_path / "data", "A11", "B20", "C33")
    outcome = run_program(
        crnn.main, "check", f"--task={NAME}", "--train_dataset=folder", f"--train_dataset_path={data}"
    )
    assert outcome.status == 0, outcome
    assert "2 of 3 samples kept, 1 dropped" in outcome.out
    assert "'C' at position '1', which has AB" in outcome.out


@pytest.fixture
def model(module: None, tmp_path: Path) -> Path:
    """A model of that kind, not trained; which module was named is forgotten again."""
    del module
    finding.allow_module(NAME)
    path = write_positions_model(
        tmp_path / "tickets.onnx", {"text": ["AB", "0123456789", "0123456789"]}, NAME
    )
    finding._named_by_the_user.clear()
    return path


def test_models_of_a_kind_of_ones_own_are_compared_where_it_is_named(
    model: Path, run_program: Run, tmp_path: Path
) -> None:
    data = write_tickets(tmp_path / "data", "A11", "B20")
    arguments = "parity", model, model, "--dataset=folder", f"--dataset_path={data}"
    assert_refused(run_program(crnn.main, *arguments), f"give --task={NAME} to use that module")
    outcome = run_program(crnn.main, *arguments, f"--task={NAME}")
    assert (outcome.status, "0 of 2 texts differ" in outcome.out) == (0, True), outcome


def test_python_reads_with_a_kind_of_ones_own_that_is_named(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"give --task=mykinds\.tickets"):
        Recognizer.load(str(model))
    data = write_tickets(tmp_path / "data", "A11")
    (reading,) = Recognizer.load(str(model), task=NAME)([data / "0.png"])
    assert re.fullmatch("[AB][0-9]{2}", reading.text)
    assert (int(reading.text[1]) + int(reading.text[2])) % 2 == 0


def test_a_kind_of_ones_own_is_served_beside_the_projects_words(
    model: Path, run_program: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = {}
    monkeypatch.setattr(
        "crnn_mindspore.serving.service.run_service", lambda recognizers, *_, **__: served.update(recognizers)
    )
    outcome = run_program(
        crnn.main,
        "serve",
        f"--task={NAME}",
        f"--models=tickets={model},words=pretrained,lines=pretrained:lines",
    )
    assert outcome.status == 0, outcome
    found = {name: recognizer.backend.artifact.task for name, (_, recognizer) in served.items()}
    assert found == {"tickets": NAME, "words": "ctc", "lines": "ctc"}
    assert "lines" in served["lines"][0]
    assert served["words"][0] == resolve_model("pretrained")


def test_positions_are_read_from_images_of_one_size(model: Path, run_program: Run, tmp_path: Path) -> None:
    data = write_tickets(tmp_path / "data", "A11")
    cv2.imwrite(str(data / "wide.png"), np.zeros((32, 300, 3), np.uint8))
    arguments = "read", data / "wide.png", f"--model={model}", f"--task={NAME}"
    outcome = run_program(crnn.main, *arguments, "--keep_ratio")
    assert_refused(outcome, "keep_ratio", "one size, 48 x 32 pixels")
    assert "onnx_width" not in outcome.err
    assert run_program(crnn.main, *arguments).status == 0


def own_module(tmp_path: Path, old: str, new: str) -> None:
    """Changes the page's module."""
    path = tmp_path / "mykinds" / "tickets.py"
    code = path.read_text()
    assert old in code
    path.write_text(code.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("class Tickets", "class class Tickets", "tickets.py, line 7: invalid syntax"),
        ("KIND =", "KIND = 1 / 0 or", "tickets.py, line 15: ZeroDivisionError: division by zero"),
        ("KIND =", "KINDS =", "the module mykinds.tickets has no KIND"),
        ('"mykinds.tickets"', '"tickets"', "has the name 'tickets'; every model states it, so it must be"),
        ('    name = "mykinds.tickets"', "    #", "has the name 'positions'"),
    ],
)
@pytest.mark.usefixtures("module")
def test_what_is_wrong_with_a_module_is_said(
    tmp_path: Path, run_program: Run, old: str, new: str, message: str
) -> None:
    own_module(tmp_path, old, new)
    (tmp_path / "mykinds" / "tickets.yaml").write_text(TICKETS)
    data = write_tickets(tmp_path / "data", "A11")
    arguments = "check", f"--task={NAME}", "--train_dataset=folder", f"--train_dataset_path={data}"
    assert_refused(run_program(crnn.main, *arguments), message)


@pytest.mark.usefixtures("module")
def test_what_is_wrong_with_the_yaml_beside_a_module_is_said(tmp_path: Path, run_program: Run) -> None:
    data = write_tickets(tmp_path / "data", "A11")
    arguments = "check", f"--task={NAME}", "--train_dataset=folder", f"--train_dataset_path={data}"
    path = tmp_path / "mykinds" / "tickets.yaml"
    assert_refused(run_program(crnn.main, *arguments), f"output {NAME}", f"there is no {path}")
    path.write_text(f"output: positions{TICKETS}")
    assert_refused(run_program(crnn.main, *arguments), path, "'positions'", "leave output out")
    path.write_text(f"output: {NAME}{TICKETS}")
    assert run_program(crnn.main, *arguments).status == 0


def test_a_rule_that_fails_is_named_with_what_it_was_given(
    model: Path, run_program: Run, tmp_path: Path
) -> None:
    own_module(tmp_path, "int(found[2])", "int(found[0] + found[1])")
    sys.modules.pop(NAME)
    finding._kind_in.cache_clear()
    data = write_tickets(tmp_path / "data", "A11")
    outcome = run_program(crnn.main, "read", data, f"--task={NAME}", f"--model={model}")
    assert_refused(
        outcome, "tickets.py, line 12", "the rule of form fails on ['", "ValueError: invalid literal"
    )
