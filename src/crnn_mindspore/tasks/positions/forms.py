"""Rules of form: the texts that the kinds of plates of a yaml have, as a rule for decoding."""

from collections.abc import Sequence
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.shipped import found
from crnn_mindspore.synth.plates.plate_layout import PlateLayout, plate_layout_of


class Forms:
    """Whether a text has one of the forms of a layout.

    Args:
        layout: Its kinds name the forms; those that are drawn but keep to no rule do not count.
    """

    def __init__(self, layout: PlateLayout) -> None:
        forms = dict.fromkeys(form for kind in layout.kinds for form in kind.texts)
        self._forms = [[frozenset(layout.alphabets.get(c, c)) for c in form] for form in forms]

    def __call__(self, classes: Sequence[str]) -> bool:
        """Whether these classes, one a position and `""` at unused ends, are such a text."""
        text = "".join(classes)
        return any(
            len(form) == len(text) and all(c in allowed for c, allowed in zip(text, form, strict=True))
            for form in self._forms
        )


def load_forms(path: str) -> Forms:
    """The forms of a yaml: of its key `plates` as in the yaml of a task, or of the kinds it holds itself.

    Raises:
        UserError: If it cannot be read, or holds no kinds of plates.
    """
    values = read_yaml(Path(found(path)))
    plain = values.get("plates", values)
    if not isinstance(plain, dict) or "kinds" not in plain:
        raise UserError(f"forms {path!r}: holds no kinds of plates; see docs/plates.md")
    return Forms(plate_layout_of(plain, f"{path}: plates"))
