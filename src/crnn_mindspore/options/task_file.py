"""The yaml of a task, laid over default_config.yaml: `--task plates` means configs/tasks/plates.yaml."""

import importlib.util
from importlib import metadata
from pathlib import Path
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.shipped import shipped

FOLDER = "configs/tasks"
ENTRY_POINTS = "crnn_mindspore.tasks"
_SUFFIXES = (".yaml", ".yml")


def task_names() -> list[str]:
    """The tasks that come with the project."""
    return sorted(path.stem for path in shipped(FOLDER).glob("*.yaml"))


def task_file(task: str) -> tuple[Path | None, dict[str, Any]]:
    """The yaml that a task's name means, and what follows from the name itself.

    Args:
        task: A name of `task_names`, the path of a yaml, a module `package.module` of somebody else's kind of
            output, or the name of such a module among the entry points `crnn_mindspore.tasks`. The yaml of a
            module has its name and lies beside it; it may be missing.

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
        raise UserError(unknown_message("task", task, task_names()))
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError as error:
        raise UserError(f"task {task!r}: there is no module {error.name}") from None
    if spec is None or not spec.origin:
        raise UserError(f"task {task!r}: there is no module {module}")
    beside = Path(spec.origin).with_suffix(".yaml")
    return (beside if beside.is_file() else None), {"output": task}
