"""The one command-line parser: made from an option class, grouped by section."""

import argparse
import inspect
import re
import shutil
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from crnn_mindspore.options.base import Options, argument_of, choices_of, shown, type_of


def create_parser(
    kind: type[Options],
    defaults: Mapping[str, Any],
    program: str = "",
    description: str = "",
    hidden: type[Options] | None = None,
    takes_yaml: bool = False,
) -> argparse.ArgumentParser:
    """A parser that leaves out what was not given and gives values as text; it takes no abbreviations.

    Args:
        kind: The command's options.
        defaults: Of those options that default_config.yaml holds, for --help.
        program: The command as it was called.
        description: For --help.
        hidden: Further options that are taken and not listed.
        takes_yaml: Whether there is a --config_path.
    """
    positional = [name for name, field in kind.model_fields.items() if argument_of(field).is_positional]
    usage = " ".join(["%(prog)s", *(f"{name.upper()} ..." for name in positional), "[--OPTION VALUE ...]"])
    width = min(110, shutil.get_terminal_size().columns)
    parser = argparse.ArgumentParser(
        prog=program or None,
        usage=usage,
        description=description,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=30, width=width
        ),
    )
    # argparse knows -0.5 for a value, but takes -1e-3 for an option.
    parser._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$", re.IGNORECASE)
    if takes_yaml:
        parser.add_argument(
            "--config_path", "--_config_path", metavar="YAML", help="yaml laid over default_config.yaml"
        )
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, field in kind.model_fields.items():
        default = defaults.get(name) if name in defaults else None if field.is_required() else field.default
        title = group_of(kind, name)
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        _add(groups[title], name, field, default)
    for name in hidden.model_fields if hidden else ():
        if name not in kind.model_fields:
            parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    return parser


def group_of(kind: type[Options], name: str) -> str:
    """The heading of the section that declares an option."""
    return heading(owner_of(kind, name))


def owner_of(kind: type[Options], name: str) -> type[Options]:
    """The class that declares an option of a command."""
    return next(c for c in kind.__mro__ if issubclass(c, Options) and name in inspect.get_annotations(c))


def heading(section: type[Options]) -> str:
    """What a section is called: its docstring's first line."""
    return (section.__doc__ or "").splitlines()[0].rstrip(".")


def option_name(name: str, kind: type[Options]) -> str:
    """How a field is called on the command line."""
    return argument_of(kind.model_fields[name]).name or name


def _add(group: argparse._ArgumentGroup, name: str, field: FieldInfo, default: object) -> None:
    form = argument_of(field)
    help_text = (field.description or "").replace("%", "%%")
    if default not in (None, "", []) and not form.is_flag:
        help_text += f" (default: {shown(default)})".replace("%", "%%")
    if form.is_positional:
        nargs = "+" if field.is_required() else "*"
        group.add_argument(name, nargs=nargs, metavar=name.upper(), help=help_text)
        return
    names = [form.short] if form.short else []
    names.append(f"--{form.name or name}")
    if form.is_flag:
        action = argparse.BooleanOptionalAction if form.has_opposite else "store_true"
        group.add_argument(*names, dest=name, action=action, help=help_text)
        return
    if type_of(field) is bool:  # also without a value, which is True then
        group.add_argument(
            *names, dest=name, nargs="?", const="True", metavar=_metavar(field), help=help_text
        )
        return
    group.add_argument(
        *names,
        dest=name,
        required=default is None and field.is_required(),
        metavar=_metavar(field),
        help=help_text,
    )


def _metavar(field: FieldInfo) -> str:
    choices = choices_of(field)
    if choices:
        return "{" + ",".join(choices) + "}"
    return {bool: "True|False", int: "N", float: "X"}.get(type_of(field), "TEXT")
