"""ONNX Runtime's threads under every command that opens a model."""

from pathlib import Path

import onnxruntime
import pytest
from conftest import WORDS, Main, Run, TinyModel, write_folder

from crnn_mindspore.cli import eval as eval_command
from crnn_mindspore.cli import export, offline, parity, read, report, serve
from crnn_mindspore.engines import onnx_backend

DATA = ("--eval_dataset=folder", "--eval_dataset_path=words")
OFFLINE = ("--eval_dataset_path=words", "--ann_file=words/labels.tsv", "--dataset=folder")
CALLS: dict[str, tuple[Main, tuple[str, ...]]] = {
    "read": (read.main, ("words/0.png", "--model=tiny.ckpt")),
    "read onnx": (read.main, ("words/0.png", "--model=tiny.onnx")),
    "eval": (eval_command.main, ("--checkpoint_path=tiny.onnx", *DATA)),
    "eval_onnx.py": (eval_command.main_onnx, ("--file_name=tiny.onnx", *DATA)),
    "report": (report.main, ("--checkpoint_path=tiny.onnx", "--report_path=r.html", *DATA)),
    "parity": (parity.main, ("tiny.onnx", "tiny.onnx", "--dataset=folder", "--dataset_path=words")),
    "export": (
        export.main,
        (
            *("--ckpt_file=tiny.ckpt", "--file_name=made", "--file_format=ONNX", "--device_target=CPU"),
            *("--verify=folder", "--verify_path=words"),
        ),
    ),
    "serve": (serve.main, ("--checkpoint_path=tiny.onnx",)),
    "offline infer": (
        offline.infer_images,
        ("--checkpoint_path=tiny.onnx", "--inputs_path=inputs", "--result_path=results", "--time_path=times"),
    ),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("given", "threads"), [((), 3), (("--onnx_threads=1",), 1)])
def test_threads_are_those_given_or_the_cores_that_may_be_used(
    name: str,
    given: tuple[str, ...],
    threads: int,
    run_program: Run,
    tiny_models: dict[str, TinyModel],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tiny_models["V2"]
    for file in (model.checkpoint, model.onnx, model.mindir, model.mindir.with_suffix(".json")):
        (tmp_path / file.name).symlink_to(file)
    write_folder(tmp_path / "words", WORDS[:2])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(onnx_backend, "usable_cores", lambda: 3)
    monkeypatch.setattr("crnn_mindspore.serving.service.run_service", lambda *_, **__: None)
    if name == "offline infer":
        listed = (*OFFLINE, "--checkpoint_path=tiny.mindir", "--inputs_path=inputs")
        assert run_program(offline.preprocess, *listed).status == 0
    opened = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, content: bytes, options: onnxruntime.SessionOptions, **others: object) -> None:
            opened.append(options.intra_op_num_threads)
            super().__init__(content, options, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    main, arguments = CALLS[name]
    outcome = run_program(main, *arguments, *given)
    assert outcome.status == 0, outcome
    assert set(opened) == {threads}
