"""A kind of output by its name."""

import importlib
from functools import cache
from importlib import metadata

from crnn_mindspore.errors import UserError
from crnn_mindspore.options.load import task_output
from crnn_mindspore.options.task_file import ENTRY_POINTS, import_problem
from crnn_mindspore.tasks.interface import Kind

KINDS = ("ctc", "positions")
_named_by_the_user: set[str] = set()


def allow_module(name: str) -> None:
    """Lets a module that the user names be a kind of output; one that only a file names is not imported."""
    _named_by_the_user.add(name)


def allow_task(task: str) -> None:
    """Lets the kind of output of a task that the user names be used.

    Raises:
        UserError: If there is no such task, or its yaml cannot be read.
    """
    output = task_output(task)
    if "." in output:
        allow_module(output)


def kind_of(name: str) -> Kind:
    """The kind of a name: one of `KINDS`, one that an installed package offers, or a module that was allowed.

    A package offers its own under the entry points `crnn_mindspore.tasks`; a module has it as KIND.

    Raises:
        UserError: If there is none.
    """
    if name in KINDS:
        return _kind_in(f"{__package__}.{name}.kind", name)
    for entry in metadata.entry_points(group=ENTRY_POINTS, name=name):
        return _kind_in(entry.module, name)
    if name in _named_by_the_user:
        return _kind_in(name, name)
    hint = f"; give --task={name} to use that module" if "." in name else ""
    raise UserError(f"task {name!r} is unknown, must be one of {', '.join(KINDS)}{hint}")


@cache
def _kind_in(module: str, name: str) -> Kind:
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(f"task {name!r}: there is no module {error.name}") from None
    except Exception as error:  # the user's own code
        raise UserError(f"task {name!r}: {import_problem(module, error)}") from None
    kind = getattr(imported, "KIND", None)
    if kind is None:
        raise UserError(f"task {name!r}: the module {module} has no KIND")
    if not isinstance(kind, Kind):
        raise UserError(f"task {name!r}: KIND of {module} is a {type(kind).__name__}, no kind of output")
    own = getattr(kind, "name", None)
    if own != name:
        raise UserError(
            f"task {name!r}: KIND of {module} has the name {own!r}; every model states it, "
            f"so it must be {name!r}"
        )
    return kind
