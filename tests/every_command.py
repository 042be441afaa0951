"""Every subcommand of `crnn` with small inputs: arguments, and what each saves."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import scipy.io
from conftest import TINY_NETWORK, WORDS, TinyModel, word_image, write_folder, write_synth
from zoo_reference import write_zoo, zoo_v2

ROOT = Path(__file__).resolve().parents[1]
CRNN = (sys.executable, str(ROOT / "src" / "__main__.py"))


@dataclass(frozen=True)
class Call:
    """One command: its arguments, and the files, in the working folder, that it saves."""

    arguments: Sequence[str]
    saves: Sequence[str] = ()


def write_inputs(folder: Path, model: TinyModel) -> Path:
    """The inputs of all commands."""
    write_folder(folder / "words", WORDS)
    write_synth(folder / "synth", WORDS)
    for ending in ("checkpoint", "onnx", "mindir"):
        shutil.copy(getattr(model, ending), folder)
    shutil.copy(model.mindir.with_suffix(".json"), folder)
    write_zoo(folder / "zoo.ckpt", zoo_v2())
    scene = folder / "scene"
    scene.mkdir()
    cv2.imwrite(str(scene / "img_1.png"), np.tile(word_image("cat"), (2, 2, 1)))
    (scene / "gt_img_1.txt").write_text("10,5,50,5,50,25,10,25,Word\n")
    (scene / "gt.txt").write_text('img_1.png, "Word"\n')
    box = '<taggedRectangle x="10" y="5" width="40" height="20"><tag>Word</tag></taggedRectangle>'
    (scene / "words.xml").write_text(
        f"<tagset><image><imageName>img_1.png</imageName><lex>Word,Other</lex><Resolution x='100' y='60'/>"
        f"<taggedRectangles>{box}</taggedRectangles></image></tagset>"
    )
    record = np.empty((1, 1), dtype=[(name, object) for name in ("ImgName", "GroundTruth", "smallLexi")])
    lexicon = np.empty((1, 2), dtype=object)
    lexicon[0, :] = ["Word", "Other"]
    record[0, 0] = ("img_1.png", "Word", lexicon)
    scipy.io.savemat(scene / "testdata.mat", {"testdata": record})
    # Stands for Python under the launcher: a training that says a few lines.
    trainer = folder / "trainer"
    trainer.write_text("#!/bin/sh\nfor i in 1 2 3 4; do echo line $i; sleep 0.1; done; touch trained\n")
    trainer.chmod(0o755)
    (folder / "table.json").write_text(
        '{"version": "1.0", "server_count": "1", "status": "completed", "server_list": [{"server_id": '
        '"10.0.0.1", "device": [{"device_id": "0", "device_ip": "10.0.0.2", "rank_id": "0"}]}]}'
    )
    offline = [*CRNN, "offline", "preprocess", *CALLS["offline preprocess"].arguments]
    subprocess.run(offline, cwd=folder, check=True, capture_output=True)
    (folder / "inputs").rename(folder / "listed")
    infer = [*CRNN, "offline", "infer", *CALLS["offline infer"].arguments]
    subprocess.run(infer, cwd=folder, check=True, capture_output=True)
    (folder / "inferred").rename(folder / "results")
    return folder


_EVALUATED = ("--eval_dataset=folder", "--eval_dataset_path=words")
_OFFLINE = ("--checkpoint_path=tiny.mindir", "--dataset=folder", "--eval_dataset_path=words")

# `serve` and `help` are not here: one does not end by itself, the other is no command.
CALLS = {
    "read": Call(("words/0.png", "words/1.png", "--model=tiny.onnx", "--device_target=CPU")),
    "train": Call(
        (
            *TINY_NETWORK,
            *("--train_dataset=folder", "--train_dataset_path=words", "--device_target=CPU"),
            *("--batch_size=4", "--max_steps=3", "--per_print_time=1", "--save_checkpoint_path=ckpt"),
            "--output_dir=out",
        ),
        ("ckpt/crnn-2_1.ckpt", "out/train_log.csv", "out/train_result.json"),
    ),
    "eval": Call(
        (*_EVALUATED, "--checkpoint_path=tiny.onnx", "--result_json=e.json", "--save_predictions=e.tsv"),
        ("e.json", "e.tsv"),
    ),
    "export": Call(
        ("--ckpt_file=tiny.ckpt", "--file_name=made", "--file_format=ONNX", "--device_target=CPU"),
        ("made.onnx",),
    ),
    "report": Call((*_EVALUATED, "--checkpoint_path=tiny.onnx", "--report_path=r.html"), ("r.html",)),
    "check": Call(
        (
            *("--train_dataset=folder", "--train_dataset_path=words"),
            *("--html=c.html", "--json=c.json"),
        ),
        ("c.html", "c.json"),
    ),
    "parity": Call(
        ("tiny.onnx", "tiny.onnx", "--dataset=folder", "--dataset_path=words", "--result_json=p.json"),
        ("p.json",),
    ),
    "prune": Call(
        ("--ckpt_file=tiny.ckpt", "--output=small.ckpt", "--prune_least=1", "--prune_multiple=1"),
        ("small.ckpt",),
    ),
    "render": Call(
        ("--output_dir=rendered", "--num_train=8", "--num_test=1", "--num_workers=2"),
        ("rendered/annotation_train.txt", "rendered/lexicon.txt"),
    ),
    "convert ic03": Call(("-d", "scene", "-x", "scene/words.xml", "-o", "ic03"), ("ic03/annotation.txt",)),
    "convert ic13": Call(("-d", "scene", "-o", "ic13"), ("ic13/annotation.txt",)),
    "convert ic15": Call(("-d", "scene", "-g", "scene", "-o", "ic15"), ("ic15/annotation.txt",)),
    "convert iiit5k": Call(("-m", "scene/testdata.mat", "-o", "iiit5k"), ("iiit5k/annotation.txt",)),
    "convert svt": Call(("-d", "scene", "-x", "scene/words.xml", "-o", "svt"), ("svt/labels.tsv",)),
    "convert lmdb": Call(
        ("--dataset", "folder", "--dataset_path", "words", "-o", "lmdb"), ("lmdb/data.mdb",)
    ),
    "convert weights": Call(("--ckpt_file=zoo.ckpt", "--output=own.ckpt"), ("own.ckpt",)),
    "doctor": Call(("--quick", "--json", "--device_target=CPU")),
    "launch": Call(
        ("--platform=Ascend", "--rank_table=table.json", "--python=./trainer", "--log_dir=logs", "--"),
        ("trained", "logs/worker_0.log"),
    ),
    "rank-table": Call(
        ("--devices=0", "--servers=10.0.0.1", "--device_ips=10.0.0.2", "--output=made.json"), ("made.json",)
    ),
    "offline preprocess": Call(
        (*_OFFLINE, "--ann_file=words/labels.tsv", "--inputs_path=inputs"), ("inputs/inputs.txt",)
    ),
    "offline infer": Call(
        (
            *("--checkpoint_path=tiny.mindir", "--inputs_path=listed", "--result_path=inferred"),
            *("--time_path=times", "--device_target=CPU"),
        ),
        ("inferred/0_0.bin",),
    ),
    "offline postprocess": Call(
        (*_OFFLINE, "--ann_file=words/labels.tsv", "--result_path=results", "--save_predictions=o.tsv"),
        ("o.tsv",),
    ),
}
