"""A kind of output of the user's own: the example of docs/tasks.md, as it stands there."""

import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.cli import main as crnn
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
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
