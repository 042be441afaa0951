"""A pretended Ascend: MindSpore says that it has one, and computes on the CPU; what it is told is recorded.

`install` puts stand-ins into the package `mindspore`, whose own modules do not look there: they go on as on a
CPU. What asks through the package sees the device, as the project's code does. In a program of its own, put
this folder on PYTHONPATH: `sitecustomize.py` installs it as soon as MindSpore is imported.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORD = "PRETENDED_ASCEND_RECORD"  # file for the records, a JSON line each
CHIP = "PRETENDED_ASCEND_CHIP"

Record = Callable[[str, Any], None]
Replace = Callable[[Any, str, Any], None]


class _Chip:
    """`MSContext`, but for the name of the chip."""

    def __init__(self, real: Any, name: str) -> None:
        self._real, self._name = real, name

    def get_instance(self) -> "_Chip":
        return self

    def get_ascend_soc_version(self) -> str:
        return self._name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real.get_instance(), name)


def shape_of(value: Any) -> list[int | None] | None:
    """The shape of a tensor, None for a size that is left open."""
    shape = getattr(value, "shape", None)
    return None if shape is None else [None if size is None or size < 0 else int(size) for size in shape]


def install(ms: Any, record: Record, chip: str = "ascend910b", replace: Replace = setattr) -> None:
    """Puts the stand-ins into the package.

    Args:
        ms: The package mindspore.
        record: Takes the name of what was called and its arguments.
        chip: What MindSpore calls it: ascend910 (the first), ascend910b, ascend310p.
        replace: As setattr; a test's monkeypatch undoes it.
    """
    from mindspore import _c_expression, communication, nn
    from mindspore.common import api

    get_context, set_context, set_device = ms.get_context, ms.set_context, ms.set_device
    init, export = communication.init, ms.export
    set_inputs = nn.Cell.set_inputs
    compile_cell, compile_function = api._CellGraphExecutor.compile, api._JitExecutor.compile

    def told_context(**settings: Any) -> None:
        record("set_context", settings)
        kept = {name: value for name, value in settings.items() if name == "mode"}
        if kept:
            set_context(**kept)

    def told_device(target: str, number: int | None = None) -> None:
        record("set_device", [target, number])
        if get_context("device_target") != "CPU":
            set_device("CPU")

    def joined() -> None:
        record("init", [])
        init()

    def exported(network: Any, *inputs: Any, **options: Any) -> None:
        record("export", {"shapes": [shape_of(value) for value in inputs], **options})
        export(network, *inputs, **options)

    def told_inputs(cell: Any, *inputs: Any, **named: Any) -> None:
        record("set_inputs", [shape_of(value) for value in inputs])
        set_inputs(cell, *inputs, **named)

    def compiled_cell(executor: Any, cell: Any, *inputs: Any, **options: Any) -> Any:
        cached = [os.environ.get(f"MS_COMPILER_CACHE_{name}") for name in ("ENABLE", "PATH")]
        shapes = [shape_of(value) for value in inputs]
        found = compile_cell(executor, cell, *inputs, **options)
        record("compile", {"cell": type(cell).__name__, "shapes": shapes, "cache": cached, "new": found[1]})
        return found

    def compiled_function(executor: Any, name: str, *inputs: Any, **options: Any) -> Any:
        record("compile", {"cell": name, "shapes": [shape_of(value) for value in inputs]})
        return compile_function(executor, name, *inputs, **options)

    replace(ms, "get_context", lambda name: "Ascend" if name == "device_target" else get_context(name))
    replace(ms, "set_context", told_context)
    replace(ms, "set_device", told_device)
    replace(ms, "set_deterministic", lambda wanted: record("set_deterministic", wanted))
    precision = ms.device_context.ascend.op_precision
    replace(precision, "precision_mode", lambda mode: record("precision_mode", mode))
    replace(communication, "init", joined)
    replace(ms, "export", exported)
    replace(nn.Cell, "set_inputs", told_inputs)
    replace(api._CellGraphExecutor, "compile", compiled_cell)
    replace(api._JitExecutor, "compile", compiled_function)
    replace(_c_expression, "MSContext", _Chip(_c_expression.MSContext, chip))


def into_file(path: str) -> Record:
    """Records as JSON lines at the end of a file."""

    def record(name: str, what: Any) -> None:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps([os.getpid(), name, what], default=str) + "\n")

    return record


def read_records(path: Path) -> dict[int, list[tuple[str, Any]]]:
    """Number of each process -> what it was recorded to do."""
    found: dict[int, list[tuple[str, Any]]] = {}
    for process, name, what in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        found.setdefault(process, []).append((name, what))
    return found
