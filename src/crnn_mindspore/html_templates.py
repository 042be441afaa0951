"""HTML pages from jinja2 templates: whatever is put in is escaped, whatever is missing is an error."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_SHARED = Path(__file__).with_name("templates")


def render(folder: Path, name: str, values: Mapping[str, object]) -> str:
    """A page as text.

    Args:
        folder: Of the page's own templates; those that all pages share are found as well.
        name: Its template.
        values: What the template shows, by name.
    """
    return environment(folder).get_template(name).render(values)


@cache
def environment(folder: Path) -> Environment:
    """Reads templates from a folder and from the shared one; made once a folder.

    Args:
        folder: Whose templates to read.
    """
    made = Environment(
        loader=FileSystemLoader([folder, _SHARED]),
        # For every template, whatever its name ends in.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    made.filters |= {"fixed": fixed, "percent": percent, "thousands": thousands, "visible": visible}
    return made


def fixed(value: float, digits: int) -> str:
    """With so many digits after the point: 0.25, 1 -> '0.2'."""
    return f"{value:.{digits}f}"


def percent(value: float, digits: int) -> str:
    """A share with so many digits after the point: 0.125, 1 -> '12.5%'."""
    return f"{value:.{digits}%}"


def thousands(value: int) -> str:
    """A count: 1234 -> '1,234'."""
    return f"{value:,}"


def visible(text: str) -> str:
    """The text with characters that cannot be seen replaced by signs or code points; not escaped."""
    return "".join("\N{OPEN BOX}" if c == " " else c if c.isprintable() else f"U+{ord(c):04X}" for c in text)
