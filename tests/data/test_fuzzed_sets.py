"""Data set files changed at random are read or refused: no crash, no other exception, bounded memory."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from fuzzing import fuzz
from test_hostile_sets import mat_words, write_lmdb

LMDB = """
import shutil
from crnn_mindspore.data.readers.lmdb_io import load_lmdb
from crnn_mindspore.data.image_io import UnreadableImageError
whole = (pathlib.Path(sys.argv[1]) / "whole" / "data.mdb").read_bytes()
def read(path):
    source = load_lmdb(str(path))
    for i in range(len(source)):
        try:
            source.image_bytes(i)
        except UnreadableImageError:
            pass
"""
CHANGE_LMDB = """place = folder / f"set{number}"
        place.mkdir()
        (place / "data.mdb").write_bytes(changed(whole, dice))
        try:
            read(place)
        finally:
            shutil.rmtree(place)"""


def test_lmdb(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "whole", count=40)
    counts = fuzz(LMDB, CHANGE_LMDB, tmp_path)
    assert counts.get("refused")


# Each is read in a process made by forking, where SciPy may crash; the real one starts Python anew.
MAT = """
import os
from crnn_mindspore.data.converting.mat_scenes import words_of
files = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).glob("whole*"))]
"""
CHANGE_MAT = """(folder / "a.mat").write_bytes(changed(dice.choice(files), dice))
        child = os.fork()
        if not child:
            try:
                json.dumps(words_of(str(folder / "a.mat")))
                os._exit(0)
            except BaseException:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        counts["crashed"] += os.WIFSIGNALED(status)
        if status:
            raise UserError("not read")"""


def test_mat(tmp_path: Path) -> None:
    mat_words(tmp_path / "whole.mat")
    mat_words(tmp_path / "whole small.mat", 2)
    counts = fuzz(MAT, CHANGE_MAT, tmp_path)
    assert counts.get("refused")


SETS = {
    "folder": ("labels.tsv", "a.png\tword\n./b/a.png\ttwo words\n", "train"),
    "csv": ("labels.csv", 'a.png,word\n"b/a.png","two ""words"""\n"c.png","line\nbreak"\n', "train"),
    "ic13": ("gt.txt", 'a.png, "word"\nb/a.png, "t\\"wo"\n', "test"),
    "ic03": ("annotation.txt", "a.png,word\nb/a.png,two, words\n", "test"),
    "chinese": ("train.txt", "a.png 1 2 3\nb/a.png 3\n", "train"),
    "synth": ("annotation_train.txt", "./a.png 0\n./b/a.png 1\n", "train"),
    "lexicon": (
        "lexicon_50.json",
        '{"lists": [["word", "two"]], "images": {"a.png": 0, "b/a.png": 0}}',
        "train",
    ),
    "classes": ("classes.txt", "a\nb\nc\n", "train"),
}
TEXT = """
from crnn_mindspore.data.image_io import UnreadableImageError
from crnn_mindspore.data.readers.registry import load_samples
name, reader, split, lexicon = json.loads((pathlib.Path(sys.argv[1]) / "what").read_text())
whole = (pathlib.Path(sys.argv[1]) / name).read_bytes()
def read(path):
    source = load_samples(reader, str(path), split=split, lexicon=lexicon)
    source.report.lines()
    for i in range(len(source)):
        assert source.name(i).startswith(f"{path}/"), source.name(i)
        source.text(i)
        try:
            source.image_bytes(i)
        except UnreadableImageError:
            pass
"""
CHANGE_TEXT = """(folder / name).write_bytes(changed(whole, dice))
        read(folder)"""


@pytest.mark.parametrize("kind", SETS)
def test_annotations(kind: str, tmp_path: Path) -> None:
    name, text, split = SETS[kind]
    png = cv2.imencode(".png", np.zeros((8, 20, 3), np.uint8))[1].tobytes()
    for place in ("a.png", "b/a.png", "0/a.png"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(png)
    (tmp_path / "lexicon.txt").write_text("word\ntwo\n")
    (tmp_path / "chars.txt").write_text("blank\na\nb\nc\n")
    if kind == "lexicon":
        (tmp_path / "labels.tsv").write_text(SETS["folder"][1])
    (tmp_path / name).write_text(text)
    reader = {"csv": "folder", "lexicon": "folder"}.get(kind, kind)
    (tmp_path / "what").write_text(json.dumps([name, reader, split, "50" if kind == "lexicon" else None]))
    assert fuzz(TEXT, CHANGE_TEXT, tmp_path)


SCENES = """
from crnn_mindspore.data.converting.scene_text import read_icdar
from crnn_mindspore.data.converting.scenes import is_word_list, read_tagged_scenes, read_word_list
from crnn_mindspore.data.sources.samples import FilterReport
from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.launch.rank_table import read_rank_table
from crnn_mindspore.offline.input_list import read_inputs
XML = b'<tagset><image><imageName>a.jpg</imageName><lex>A,B</lex><taggedRectangles>'
XML += b'<taggedRectangle x="1.0" y="2" width="3" height="4"><tag>word</tag></taggedRectangle>'
XML += b'</taggedRectangles></image></tagset>'
LIST = b'<imagelist><image file="word/1/1.jpg" tag="self" /></imagelist>'
GT = b'38, 43, 920, 215, "Tiredness"\\n377,117,463,117,465,130,378,130,Genaxis Theatre\\n'
YAML = b'a: &a [1, "two", {b: c}]\\nd: *a\\ne:\\n  - {<<: {f: 1.5}, g: 2026-01-01}\\n'
TABLE = b'{"version": "1.0", "server_count": "1", "server_list": [{"server_id": "10.0.0.1", '
TABLE += b'"device": [{"device_id": "0", "device_ip": "10.0.0.2", "rank_id": "0"}], '
TABLE += b'"host_nic_ip": "reserve"}], "status": "completed"}'
INPUTS = b"crnn_inputs 1\\nheight 32\\nwidth 100\\nchannel_order BGR\\ninterpolation linear\\n"
INPUTS += b"mean 127.5\\nstd 127.5\\ntime_steps 24\\ncharacters 97 98\\nimages 1\\na_0.bin\\t/tmp/a.png\\n"
FILES = {"a.xml": XML, "b.xml": LIST, "gt_a.txt": GT, "a.yaml": YAML, "table.json": TABLE}
FILES["inputs.txt"] = INPUTS
def read(path):
    if path.suffix == ".xml":
        (read_word_list if is_word_list(str(path)) else read_tagged_scenes)(str(path), FilterReport())
    elif path.suffix == ".txt" and path.name != "inputs.txt":
        read_icdar(str(path.parent), str(path.parent), FilterReport())
    elif path.suffix == ".yaml":
        repr(read_yaml(path))
    elif path.suffix == ".json":
        read_rank_table(str(path))
    else:
        read_inputs(str(path.parent))
"""
CHANGE_SCENES = """name = dice.choice(list(FILES))
        (folder / name).write_bytes(changed(FILES[name], dice))
        read(folder / name)"""


def test_what_converters_and_lists_read(tmp_path: Path) -> None:
    counts = fuzz(SCENES, CHANGE_SCENES, tmp_path)
    assert counts.get("refused")
