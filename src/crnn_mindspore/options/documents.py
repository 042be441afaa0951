"""default_config.yaml and docs/options.md as text: values of the yaml, all else of the option classes."""

from collections.abc import Mapping
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.options.base import argument_of, choices_of, shown
from crnn_mindspore.options.commands import COMMANDS, SECTIONS
from crnn_mindspore.options.load import DEFAULT_CONFIG
from crnn_mindspore.options.parser import heading, option_name, owner_of
from crnn_mindspore.shipped import shipped

_HEAD = """\
# Every option with its default. A comment gives the meaning and the unit; {a, b} lists the allowed values.
# Any key is also a command-line option, --key=value; --config_path FILE overlays another yaml on this one.
# The comments are those of src/crnn_mindspore/options/; `make options` writes them anew.
"""
_RULE = 110
_COMMENT_COLUMN = 32


def yaml_text(values: Mapping[str, Any]) -> str:
    """The file with these values."""
    lines = [_HEAD]
    for section in SECTIONS:
        lines.append(f"# --- {heading(section)} ".ljust(_RULE, "-"))
        for name, field in section.model_fields.items():
            choices = choices_of(field)
            note = (field.description or "") + (f" {{{', '.join(choices)}}}" if choices else "")
            entry = f"{name}: {_yaml_value(values[name])}"
            lines.append(f"{entry.ljust(_COMMENT_COLUMN - 2)}  # {note}")
        lines.append("")
    return "\n".join(lines)


def _yaml_value(value: object) -> str:
    return '""' if value == "" else str(value)


_PAGE = """\
# Options

Every option once, with its default and the commands that take it. `default_config.yaml` holds the defaults
of the first part; `--config_path FILE` lays another yaml over it, the command line over both. The model
zoo's programs (`train.py`, `eval.py`, `export.py`, `eval_onnx.py`) take all of the first part. `make options`
writes this page.
"""


def markdown_text(values: Mapping[str, Any]) -> str:
    """docs/options.md: the sections of the yaml with these values, then what single commands take besides."""
    lines = [_PAGE]
    for section in SECTIONS:
        takers = [name for name, kind in COMMANDS.items() if issubclass(kind, section)]
        lines += [f"## {heading(section)}", "", f"Taken by {_listed(takers)}.", "", *_HEAD_OF_TABLE]
        lines += [_row(name, field, values[name], name) for name, field in section.model_fields.items()]
        lines.append("")
    for command, kind in COMMANDS.items():
        own = {n: field for n, field in kind.model_fields.items() if owner_of(kind, n) not in SECTIONS}
        if not own:
            continue
        lines += [f"## `crnn {command}`", "", *_HEAD_OF_TABLE]
        for name, field in own.items():
            default = None if field.is_required() or name == "python" else field.default
            lines.append(_row(name, field, default, option_name(name, kind)))
        lines.append("")
    return "\n".join(lines)


_HEAD_OF_TABLE = ["| option | default | meaning |", "|---|---|---|"]


def _row(name: str, field: FieldInfo, default: object, shown_name: str) -> str:
    form = argument_of(field)
    label = name.upper() if form.is_positional else f"--{shown_name}"
    label = f"`{label}`" + (f", `{form.short}`" if form.short else "")
    meaning = [field.description or "", *_limits(field)]
    value = "" if default in (None, "", []) else f"`{shown(default)}`"
    return f"| {label} | {value} | {'; '.join(part for part in meaning if part)} |".replace("  ", " ")


def _limits(field: FieldInfo) -> list[str]:
    """Choices and range, in words."""
    choices = choices_of(field)
    parts = [f"one of {', '.join(f'`{choice}`' for choice in choices)}"] if choices else []
    for limit in field.metadata:
        if isinstance(limit, Ge):
            parts.append(f"at least {limit.ge:g}")
        elif isinstance(limit, Gt):
            parts.append(f"above {limit.gt:g}")
        elif isinstance(limit, Le):
            parts.append(f"at most {limit.le:,}")
        elif isinstance(limit, Lt):
            parts.append(f"below {limit.lt:g}")
    return parts


def _listed(names: list[str]) -> str:
    commands = dict.fromkeys(name.split()[0] for name in names)
    return ", ".join(f"`crnn {name}`" for name in commands) or "the model zoo's programs alone"


if __name__ == "__main__":
    defaults = read_yaml(DEFAULT_CONFIG)
    DEFAULT_CONFIG.write_text(yaml_text(defaults), encoding="utf-8")
    shipped("docs/options.md").write_text(markdown_text(defaults), encoding="utf-8")
