"""The yaml of a task, laid over default_config.yaml: `--task plates` means configs/tasks/plates.yaml."""

import importlib.util
import traceback
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.shipped import shipped

FOLDER = "configs/tasks"
ENTRY_POINTS = "crnn_mindspore.tasks"
_SUFFIXES = (".yaml", ".yml")
CLASSES = ("label_dict", "positions")  # options that may name a file of classes


def task_names() -> list[str]:
    """The tasks that come with the project."""
    return sorted(path.stem for path in shipped(FOLDER).glob("*.yaml"))


def is_own_yaml(task: str) -> bool:
    """Whether a task is a file, and none of `task_names`."""
    return task not in task_names() and task.endswith(_SUFFIXES)


def task_file(task: str) -> tuple[Path, dict[str, Any]]:
    """The yaml that a task's name means, and what follows from the name itself.

    Args:
        task: A name of `task_names`, the path of a yaml, a module `package.module` of somebody else's kind of
            output, or the name of such a module among the entry points `crnn_mindspore.tasks`. The yaml of a
            module has its name and lies beside it; it alone may be missing.

    Raises:
        UserError: If there is none.
    """
    if task in task_names():
        return shipped(f"{FOLDER}/{task}.yaml"), {}
    if task.endswith(_SUFFIXES):
        return Path(task), {}
    module = next((entry.module for entry in metadata.entry_points(group=ENTRY_POINTS, name=task)), "")
    if not module and "." in task:
        module = task
    if not module:
        raise UserError(_unknown(task))
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError as error:
        raise UserError(f"task {task!r}: there is no module {error.name}") from None
    except Exception as error:  # what the package around the module does at import
        raise UserError(f"task {task!r}: {import_problem(module, error)}") from None
    if spec is None or not spec.origin:
        raise UserError(f"task {task!r}: there is no module {module}")
    return Path(spec.origin).with_suffix(".yaml"), {"output": task}


def with_files_beside(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The values of a yaml; files of classes that lie in its folder are given as paths from here.

    Others stay as they are: paths from the working folder, or of shipped files.
    """
    found = {name: _beside(v, folder) if name in CLASSES else v for name, v in values.items()}
    if isinstance(found.get("positions"), Mapping):
        found["positions"] = layout_with_files_beside(found["positions"], folder)
    return found


def layout_with_files_beside(layout: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The same of the layout of positions; what is not of its form stays as it is."""
    found = dict(layout)
    if isinstance(layout.get("alphabets"), Mapping):
        found["alphabets"] = {name: _beside(v, folder) for name, v in layout["alphabets"].items()}
    for key in ("text", "attributes"):
        if isinstance(layout.get(key), list):
            found[key] = [
                {**entry, "classes": _beside(entry["classes"], folder)}
                if isinstance(entry, Mapping) and "classes" in entry
                else _beside(entry, folder)
                for entry in layout[key]
            ]
    return found


def _beside(value: Any, folder: Path) -> Any:
    is_file = isinstance(value, str) and value.lower().endswith((".txt", *_SUFFIXES))
    return str(folder / value) if is_file and (folder / value).is_file() else value


def import_problem(module: str, error: Exception) -> str:
    """Why a module of the user's cannot be imported, with the line of it or of what it imports."""
    if isinstance(error, SyntaxError):
        where = f"{error.filename}, line {error.lineno}: "
        return f"the module {module} cannot be imported: {where}{error.msg}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{last.filename}, line {last.lineno}: "
    return f"the module {module} cannot be imported: {where}{type(error).__name__}: {error}"


def _unknown(task: str) -> str:
    near = next((f"{task}{suffix}" for suffix in _SUFFIXES if Path(task + suffix).is_file()), "")
    if near:
        return f"unknown task '{task}'; for the file {near} give --task={near}"
    known = f"the tasks are {', '.join(task_names())}; or give the path of a yaml, or a module"
    return f"{unknown_message('task', task, task_names())}; {known}"
