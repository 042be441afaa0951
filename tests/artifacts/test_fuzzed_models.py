"""Descriptions and files of weights changed at random are read or refused: no crash, no other exception."""

import json
from pathlib import Path

import numpy as np
from fuzzing import fuzz
from test_hostile_models import ARTIFACT

from crnn_mindspore.artifacts.artifact import METADATA_KEY
from crnn_mindspore.artifacts.torch.safetensors_file import write_safetensors

MODELS = Path(__file__).with_name("torch_models")

DESCRIPTION = """
from crnn_mindspore.artifacts.artifact import Artifact
texts = [path.read_text() for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json"))]
ODD = [None, True, -1, 0, 1.5, 10**30, float("inf"), float("nan"), "", "x", "x.txt", "V2"]
ODD += [[], ["a", 1], {}, {"a": {}}]
def other(value, dice):
    if dice.random() < 0.15:
        return dice.choice(ODD)
    if isinstance(value, dict):
        return {name: other(part, dice) for name, part in value.items() if dice.random() < 0.98}
    return [other(part, dice) for part in value] if isinstance(value, list) else value
"""
CHANGE_DESCRIPTION = """text = dice.choice(texts)
        if dice.random() < 0.5:
            text = json.dumps(other(json.loads(text), dice))
        else:
            text = changed(text.encode(), dice).decode(errors="replace")
        artifact = Artifact.from_json(text, "a.json")
        Artifact.from_json(artifact.to_json(), "a.json")
        artifact.decoder()
        artifact.kind.score_shape(artifact)"""

POSITIONS = {
    "format_version": 2,
    "task": "positions",
    "positions": {"text": [{"name": "1", "classes": "ab"}, {"name": "2", "classes": ["", "cd"]}]},
    "num_classes": 2,
    "network": {"version": "resnet18", "channel_scale": 0.5, "resnet_block": "v2", "stem_stride": 1},
}


def test_descriptions(tmp_path: Path) -> None:
    values = json.loads(ARTIFACT.to_json())
    listed = {"format_version": 2, "charset": ["ab", "c", "d"]}
    torch = {"network": {"version": "vgg", "hidden_size": 256, "channel_scale": 1.0, "leaky_slope": 0.1}}
    read = {"reading": {"decoder": "prior", "prior": "en", "widest": 320}}
    for number, change in enumerate(({}, listed, torch, read, POSITIONS)):
        (tmp_path / f"{number}.json").write_text(json.dumps(values | change))
    counts = fuzz(DESCRIPTION, CHANGE_DESCRIPTION, tmp_path)
    assert counts["read"]
    assert counts["refused"]


WEIGHTS = """
from crnn_mindspore.artifacts.torch.torch_weights import read_torch_weights
files = {path: path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).glob("whole*"))}
"""
CHANGE_WEIGHTS = """path = dice.choice(list(files))
        file = folder / f"a{path.suffix}"
        content = files[path]
        # What says something lies at the beginning, and of an archive at the end.
        size = 4000
        is_long = len(content) > 2 * size
        parts = [content[:size], content[size:-size], content[-size:]] if is_long else [content]
        part = dice.choice((0, -1))
        parts[part] = changed(parts[part], dice)
        file.write_bytes(b"".join(parts))
        read_torch_weights(str(file))"""


def test_pth(tmp_path: Path) -> None:
    for number, path in enumerate(sorted(MODELS.glob("*.pth"))):
        (tmp_path / f"whole{number}.pth").write_bytes(path.read_bytes())
    assert list(tmp_path.iterdir())
    counts = fuzz(WEIGHTS, CHANGE_WEIGHTS, tmp_path)
    assert counts["refused"]


def test_safetensors(tmp_path: Path) -> None:
    arrays = {f"vgg.conv{k}.conv.weight": np.ones((3, k), np.float32) for k in range(1, 8)}
    write_safetensors(
        tmp_path / "whole.safetensors", arrays, {METADATA_KEY: ARTIFACT.to_json(), "format": "pt"}
    )
    assert fuzz(WEIGHTS, CHANGE_WEIGHTS, tmp_path)["refused"]


CHECKPOINT = """
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file, read_texts
from crnn_mindspore.artifacts.checkpoint_file import _checkpoint_message
message = _checkpoint_message()()
for name, kind, dims, content in (
    ("vgg.conv1.conv.weight", "Float32", (2, 2), bytes(16)),
    ("rnn.1.bias", "Float16", (3,), bytes(6)),
    ("global_step", "Int32", (0,), bytes(4)),
    ("crnn_train_state", "str", (2,), "{}".encode("utf-32-le")),
):
    entry = message.value.add(tag=name)
    entry.tensor.dims.extend(dims)
    entry.tensor.tensor_type, entry.tensor.tensor_content = kind, content
whole = message.SerializeToString()
"""
CHANGE_CHECKPOINT = """(folder / "a.ckpt").write_bytes(changed(whole, dice))
        try:
            read_texts(str(folder / "a.ckpt"))
        except UserError:
            counts["texts refused"] += 1
        read_checkpoint_file(str(folder / "a.ckpt"))"""


def test_checkpoints(tmp_path: Path) -> None:
    assert fuzz(CHECKPOINT, CHANGE_CHECKPOINT, tmp_path)["refused"]
