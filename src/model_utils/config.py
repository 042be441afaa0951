"""The options as one namespace, under the model zoo's name: `config.batch_size`, changed at will.

`config` is read from the command line when it is first asked for; importing this module alone does nothing.
"""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from crnn_mindspore.artifacts.agreement import check_derived, derived_of
from crnn_mindspore.data.sources.charset_file import resolve_charset
from crnn_mindspore.engines.mindspore.runtime import find_device
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import AllOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.options.output_folder import with_output_dir
from crnn_mindspore.text.charset import Charset

__all__ = ["Config", "charset_of", "config_or", "get_config", "load_options"]  # and `config`


class Config(SimpleNamespace):
    """A mapping as attributes, which may be changed and added to."""

    def __init__(self, cfg_dict: Mapping[str, Any]) -> None:
        super().__init__(**cfg_dict)


def get_config() -> Config:
    """Every option of default_config.yaml, as `--config_path` and the command line have it.

    What follows from others is filled in (`class_num`, `blank`, `num_step`, `input_size`), `label_dict` holds
    the characters themselves, and `device_target` is a device, never `auto`.

    Raises:
        SystemExit: 2 with a message on standard error, for an option or a value that is not right.
    """
    program = Path(sys.argv[0]).name
    try:
        options = with_output_dir(load_options(AllOptions, sys.argv[1:], program, takes_all=True))
        check_derived(options)
        values = {**options.values(), **derived_of(options)}
        values["label_dict"] = charset_of(options).characters
        values["device_target"] = find_device(options.device_target)
    except UserError as error:
        print(f"usage: {program} [--OPTION VALUE ...]\nerror: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    return Config(values)


@cache
def _shared() -> Config:
    return get_config()


def charset_of(config: Any) -> Charset:
    """The alphabet of `config.label_dict`, which may name a file."""
    return resolve_charset(config.label_dict, with_space=getattr(config, "with_space", False))


def config_or(given: Any) -> Any:
    """The options given to a function, or those of the command line where none are."""
    return _shared() if given is None else given


def __getattr__(name: str) -> Config:
    if name == "config":
        return _shared()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
