"""default_config.yaml as text: the values of the file, the sections and comments of the option classes."""

from collections.abc import Mapping
from typing import Any

from crnn_mindspore.options.base import choices_of
from crnn_mindspore.options.commands import SECTIONS
from crnn_mindspore.options.load import DEFAULT_CONFIG, read_yaml
from crnn_mindspore.options.parser import heading

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


if __name__ == "__main__":
    DEFAULT_CONFIG.write_text(yaml_text(read_yaml(DEFAULT_CONFIG)), encoding="utf-8")
