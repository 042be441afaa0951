"""What all option classes share: a meaning, limits and choices for each field, and clear errors."""

import math
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PrivateAttr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from crnn_mindspore.errors import UserError


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a truth value")
    return value


def _storable(value: int) -> int:
    if abs(value) > LARGEST:
        raise ValueError("too large")
    return value


def _finite(value: object) -> object:
    if isinstance(value, str | float) and not math.isfinite(float(value)):
        raise ValueError("not finite")
    return _no_boolean(value)


# What NumPy, ONNX and MindSpore can hold.
LARGEST = 2**63 - 1
Whole = Annotated[int, BeforeValidator(_no_boolean), AfterValidator(_storable)]
Number = Annotated[float, BeforeValidator(_finite)]
# An empty value of a yaml file is an empty text.
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


def _with_commas(value: object) -> object:
    """A list, or a number of a yaml file, as text."""
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


ListText = Annotated[Text, BeforeValidator(_with_commas)]


def in_home(value: object) -> object:
    """Paths, comma between, with `~` for the user's folder, which a shell leaves alone in --option=~/run.

    Raises:
        UserError: If the user has none.
    """
    if not isinstance(value, str) or "~" not in value:
        return value
    parts = [os.path.expanduser(part) for part in value.split(",")]
    if any(part == "~" or part.startswith("~/") for part in parts):
        raise UserError(f"{value}: ~ is the user's folder, and this user has none; set HOME")
    return ",".join(parts)


PathText = Annotated[Text, BeforeValidator(in_home)]


@dataclass(frozen=True)
class Argument:
    """How a field stands on the command line, where it is not `--name VALUE`.

    Attributes:
        short: A one-letter form beside the name: "-d".
        name: Another name than the field's, which Python or pydantic keeps for itself.
        is_positional: Whether its values stand without a name.
        is_flag: Whether its name alone means True.
        has_opposite: Whether `--no-NAME` means False, of a flag.
    """

    short: str = ""
    name: str = ""
    is_positional: bool = False
    is_flag: bool = False
    has_opposite: bool = False


Flag = Annotated[bool, Argument(is_flag=True)]
Switch = Annotated[bool, Argument(is_flag=True, has_opposite=True)]


class Options(BaseModel):
    """Options, read-only, as attributes. The docstring's first line is the heading of their group.

    `given` holds the names that the user set, in the yaml of --config_path or on the command line: values
    that follow from others are checked only when they were given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    _given: frozenset[str] = PrivateAttr(frozenset())

    @property
    def given(self) -> frozenset[str]:
        """Names of the options that the user set."""
        return self._given

    @classmethod
    def checked(
        cls,
        values: Mapping[str, Any],
        given: frozenset[str] = frozenset(),
        origin: Callable[[str], str] = lambda name: "",
    ) -> Self:
        """The options with these values.

        Args:
            values: All of them, as text or in their type.
            given: Which of them the user set.
            origin: Name of an option -> where its value comes from, for messages.

        Raises:
            UserError: At the first value of a wrong type, out of its range or not among the choices; the
                option, the value and what would be right are named.
        """
        try:
            options = cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            where = f"{origin(name)}: " if origin(name) else ""
            raise UserError(f"{where}{_message(name, first, cls.model_fields.get(name))}") from None
        options._given = given
        return options

    def replaced(self, **values: Any) -> Self:
        """The same with some values changed; they count as given."""
        return type(self).checked({**self.values(), **values}, self.given | set(values))

    def with_given(self, names: Collection[str]) -> Self:
        """The same, of which the user set those names."""
        return type(self).checked(self.values(), frozenset(names))

    def values(self) -> dict[str, Any]:
        """Name -> value of every option."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def require(self, *names: str) -> None:
        """Raises UserError naming the first of these options that is empty."""
        for name in names:
            if getattr(self, name) == "":
                raise UserError(f"option --{name} is required")


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The allowed values of a field, () where they are not listed."""
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def type_of(field: FieldInfo) -> Any:
    """The type of a field's value where it has one."""
    found = get_args(field.annotation) if type(None) in get_args(field.annotation) else (field.annotation,)
    first = found[0]
    return get_args(first)[0] if get_origin(first) is Annotated else first


def argument_of(field: FieldInfo) -> Argument:
    """How a field stands on the command line."""
    return next((part for part in field.metadata if isinstance(part, Argument)), Argument())


def _message(name: str, error: ErrorDetails, field: FieldInfo | None) -> str:
    kind, value = error["type"], error.get("input")
    limits = error.get("ctx", {})
    if kind == "missing":
        return f"{name} has no value"
    if kind == "extra_forbidden" or field is None:
        return f"unknown option '{name}'"
    if kind == "too_short":
        return f"{name} names {len(value)}, must name at least {limits['min_length']}"
    for limit, words in (("gt", "above"), ("ge", "at least"), ("le", "at most"), ("lt", "below")):
        if limit in limits:
            return f"{name} is {value}, must be {words} {limits[limit]:,}"
    if kind == "value_error" and type_of(field) is int and not isinstance(value, bool):
        words = "at least -" if int(str(value)) < 0 else "at most "
        return f"{name} is {value}, must be {words}{LARGEST:,}"
    return f"{name} is {value!r}, must be {_wanted(field)}"


def _wanted(field: FieldInfo) -> str:
    if choices_of(field):
        return f"one of {', '.join(choices_of(field))}"
    kinds = {bool: "True or False", int: "a whole number", float: "a number"}
    return kinds.get(type_of(field), "text: put it in quotes")


def shown(value: object) -> str:
    """A value as it is written in a yaml file and on the command line."""
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return str(value)
