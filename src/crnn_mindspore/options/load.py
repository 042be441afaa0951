"""Reading options: default_config.yaml, another yaml laid over it, the command line over both."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import allow_outside
from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.nearest import nearest, unknown_message
from crnn_mindspore.options.base import Options, argument_of
from crnn_mindspore.options.commands import SECTIONS, AllOptions
from crnn_mindspore.options.common import ModelOptions
from crnn_mindspore.options.parser import create_parser, option_name, owner_of
from crnn_mindspore.options.task_file import CLASSES, is_own_yaml, task_file, with_files_beside
from crnn_mindspore.options.without_effect import without_effect
from crnn_mindspore.shipped import shipped

_logger = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=Options)

DEFAULT_CONFIG = shipped("default_config.yaml")
_COMMAND_LINE = "command line"


def load_options(
    kind: type[Kind],
    argv: Sequence[str],
    program: str = "",
    description: str = "",
    takes_all: bool = False,
) -> Kind:
    """The options of a command.

    Args:
        kind: Its class.
        argv: The command line without the program's name.
        program: The command as it was called, for the usage.
        description: For --help.
        takes_all: Whether every option of default_config.yaml may be given, as the model zoo's programs
            have it; those of other commands are checked and left alone. In yaml files they always may be.

    Raises:
        UserError: For an unknown option or yaml key (the nearest known one is named), a value of the wrong
            type, out of its range or not among the choices, or a file that cannot be read.
        SystemExit: After --help, or with the usage where an argument is missing.
    """
    everything = read_yaml(DEFAULT_CONFIG)
    # A command's own option may have the name of one there, and is another one.
    in_yaml = {name for name in kind.model_fields if owner_of(kind, name) in SECTIONS}
    defaults = {name: value for name, value in everything.items() if name in in_yaml}
    hidden = AllOptions if takes_all else None
    parser = create_parser(kind, defaults, program, description, hidden, takes_yaml=bool(in_yaml))
    # Words may stand between options, but for what follows `--`.
    takes_words = any(argument_of(f).is_positional and f.is_required() for f in kind.model_fields.values())
    parse = parser.parse_known_intermixed_args if takes_words else parser.parse_known_args
    known, unknown = parse([_in_lower_case(argument) for argument in argv])
    typed = vars(known)
    config_path = typed.pop("config_path", "")
    overlay = _read_overlay(config_path) if config_path else {}
    task: dict[str, Any] = {}
    named: set[str] = set()
    if "task" in in_yaml:
        name = str(typed.get("task", overlay.get("task", everything["task"])))
        task, task_origin = _read_task(name)
        # The classes of a yaml of the user's own are not given up for those of a model to start from.
        is_started_from = "pretrained" in kind.model_fields and is_own_yaml(name)
        named = in_yaml & task.keys() & set(CLASSES) if is_started_from else set()
        everything |= task
        defaults |= {name: value for name, value in task.items() if name in in_yaml}

    def origin(name: str) -> str:
        if name in typed:
            return _COMMAND_LINE
        if name in overlay:
            return config_path
        return task_origin if name in task else str(DEFAULT_CONFIG)

    is_on_modelarts = False
    if in_yaml:
        own = set(kind.model_fields) - in_yaml
        shared = {name: value for name, value in typed.items() if name not in own}
        # Checks the options of other commands too.
        checked = AllOptions.checked({**everything, **overlay, **shared}, origin=origin)
        is_on_modelarts = checked.enable_modelarts and "enable_modelarts" in in_yaml
    names = [option_name(name, kind) for name in kind.model_fields]
    _check_unknown(unknown, names, is_on_modelarts, takes_all)
    given = {name: value for name, value in overlay.items() if name in in_yaml}
    given |= {name: value for name, value in typed.items() if name in kind.model_fields}
    options = kind.checked({**defaults, **given}, frozenset(given) | named, origin)
    allow_outside(getattr(options, "allow_outside", False))
    foreign = sorted(typed.keys() - kind.model_fields.keys())
    if foreign:
        _logger.warning("options of other programs, without effect here: %s", ", ".join(foreign))
    for message in without_effect(options, defaults):
        _logger.warning("%s", message)
    return options


def _read_task(name: str) -> tuple[dict[str, Any], str]:
    """The values that a task's yaml lays over default_config.yaml, and where they come from."""
    path, values = task_file(name)
    if not values:
        overlay = _read_overlay(str(path))
        if "plates" in overlay and not overlay.get("renderer"):
            raise UserError(
                f"{path}: says how plates look, but not `renderer: plates`, so words would be drawn"
            )
        return overlay, str(path)
    overlay = _read_overlay(str(path)) if path.is_file() else {}
    if overlay.get("output", values["output"]) != values["output"]:
        raise UserError(
            f"{path}: output is {overlay['output']!r}, but the module of task {name!r} beside it "
            "is the kind of output; leave output out"
        )
    return overlay | values, str(path)


def task_output(task: str) -> str:
    """The kind of output of a task.

    Raises:
        UserError: If there is no such task, or its yaml cannot be read.
    """
    values, _ = _read_task(task)
    return str(values.get("output", read_yaml(DEFAULT_CONFIG)["output"]))


def task_options(task: str) -> ModelOptions:
    """The model that a task alone asks for; `given` are the options that its yaml holds.

    Raises:
        UserError: If there is no such task, or its yaml cannot be read or holds a wrong value.
    """
    values, origin = _read_task(task)
    names = ModelOptions.model_fields.keys()
    given = frozenset(values.keys() & names)
    every = {**read_yaml(DEFAULT_CONFIG), **values, "task": task}
    return ModelOptions.checked({name: every[name] for name in names}, given, lambda name: origin)


def _read_overlay(config_path: str) -> dict[str, Any]:
    overlay: dict[str, Any] = {}
    path = _find_yaml(config_path)
    for written, value in read_yaml(path).items():
        key = known_name(str(written))
        if key in overlay:
            raise UserError(f"{config_path}: '{key}' stands twice, in two ways of writing")
        overlay[key] = value
        if key not in AllOptions.model_fields:
            raise UserError(f"{config_path}: {unknown_message('key', str(key), AllOptions.model_fields)}")
    return with_files_beside(overlay, path.parent)


def known_name(name: str) -> str:
    """An option as it is called here where only capitals differ: the model zoo has CHECKPOINT_PATH."""
    return name.lower() if name.lower() in AllOptions.model_fields else name


def _in_lower_case(argument: str) -> str:
    """The same for an argument of the command line."""
    name, equals, value = argument.partition("=")
    return f"--{known_name(name[2:])}{equals}{value}" if name.startswith("--") else argument


def _find_yaml(name: str) -> Path:
    """The yaml of `config_path`: as it is, or beside default_config.yaml, as ModelArts starts elsewhere."""
    beside = DEFAULT_CONFIG.parent / name
    try:
        return beside if beside.is_file() and not Path(name).is_file() else Path(name)
    except OSError as error:  # a name that is too long
        raise UserError(f"{name}: {error.strerror}") from None


def _check_unknown(unknown: Sequence[str], own: list[str], is_on_modelarts: bool, takes_all: bool) -> None:
    """Raises UserError for the first argument that is no option, except for what ModelArts adds.

    The platform passes options of its own, such as --init_method, --num_gpus and --task_index, and keeps no
    list of them: there only what is nearly one of our options is refused.

    Source: https://support.huaweicloud.com/intl/en-us/trouble-modelarts/modelarts_13_0012.html
    """
    options = [*own, *AllOptions.model_fields] if takes_all else own
    for argument in unknown:
        name = argument.lstrip("-").split("=")[0]
        if is_on_modelarts and not nearest(name, options, nearness=0.8):
            continue
        if not argument.startswith("-"):
            raise UserError(f"'{argument}' stands alone; an option is written --NAME=VALUE")
        if not takes_all and name in AllOptions.model_fields:
            raise UserError(f"option '{name}' is not one of this command; --help lists them")
        raise UserError(unknown_message("option", name, options))
    if unknown:
        _logger.warning("not options of this program, ignored: %s", " ".join(unknown))
