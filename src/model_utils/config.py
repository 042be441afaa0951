"""The configuration: default_config.yaml, another yaml on top, the command line on top of both."""

import argparse
import difflib
import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import yaml

from src.data.charset_file import resolve_characters
from src.data.preprocess import Preprocessing
from src.errors import UserError
from src.inference.artifact import Artifact, NetworkSpec
from src.inference.decoding import Decoding
from src.model_utils.command import unknown_message
from src.text.charset import Charset

_logger = logging.getLogger(__name__)

DEFAULT_CONFIG = Path(__file__).resolve().parents[2] / "default_config.yaml"
_OPTION_LINE = re.compile(r"^(?P<key>\w+):[^#]*#\s*(?P<help>.*?)(?:\s*\{(?P<choices>[^}]*)\})?\s*$")


# The smallest allowed value of an option; MindSpore's own complaint would come late and without its name.
_LEAST: dict[str, int] = {
    "batch_size": 1,
    "accumulate_steps": 1,
    "epoch_size": 1,
    "max_steps": 0,
    "max_text_length": 1,
    "hidden_size": 1,
    "seed": 0,
    "device_id": 0,
    "num_parallel_workers": 0,
    "report_images": 0,
    "per_print_time": 1,
    "save_checkpoint_steps": 1,
    "keep_checkpoint_max": 1,
    "eval_interval": 1,
    "eval_examples": 0,
    "render_epoch_images": 1,
    "calibration_images": 1,
    "ordered_epochs": 0,
    "overfit_batches": 0,
    "modelarts_sync_minutes": 0,
    "diagnose_blank_steps": 0,
    "diagnose_flat_steps": 0,
    "clip_norm": 0,
    "beam_width": 1,
    "language_weight": 0,
    "reject_below": 0,
    "ema_decay": 0,
    "port": 0,
    "batch_wait_ms": 0,
    "max_body_mb": 1,
    "body_seconds": 1,
    "max_request_images": 1,
    "max_waiting_images": 1,
    "shutdown_seconds": 1,
}


class Config(Mapping[str, Any]):
    """The options, read-only, as attributes or by name.

    `given` holds the names that the user set, in the yaml of --config_path or on the command line: values
    that follow from others are checked only when they were given.
    """

    given: frozenset[str]

    def __init__(self, values: Mapping[str, Any], given: frozenset[str]) -> None:
        object.__setattr__(self, "_values", dict(values))
        object.__setattr__(self, "given", given)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"the configuration is read-only: {name}")

    def __getitem__(self, name: str) -> Any:
        return self.__dict__["_values"][name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__["_values"])

    def __len__(self) -> int:
        return len(self.__dict__["_values"])

    def replaced(self, **values: Any) -> "Config":
        """The same with some values changed; they count as given."""
        return Config({**self, **values}, self.given | set(values))

    def check_derived(self, **derived: int) -> None:
        """Compares given values with those that follow from the charset, the width and the network.

        Raises:
            UserError: Naming both values, at the first that differs.
        """
        for name, value in derived.items():
            if name in self.given and self[name] != value:
                raise UserError(
                    f"{name} is given as {self[name]}, but {value} follows from the other options"
                )

    @property
    def charset(self) -> Charset:
        """The alphabet of `label_dict`, which may name a file; `auto` must be settled by the labels first."""
        return Charset(resolve_characters(self.label_dict))

    @property
    def preprocessing(self) -> Preprocessing:
        """The image transform of the sizes."""
        return Preprocessing(height=self.image_height, width=self.image_width)

    @property
    def network(self) -> NetworkSpec:
        """Version and sizes of the network."""
        return NetworkSpec(self.model_version, self.hidden_size, self.channel_scale)

    @property
    def decoding(self) -> Decoding:
        """The options of decoding, checked.

        Raises:
            UserError: If they contradict each other.
        """
        decoding = Decoding(**{f.name: self[f.name] for f in fields(Decoding)})
        decoding.check()
        return decoding

    def check_model(self) -> None:
        """Raises UserError if `class_num`, `blank`, `num_step` or `input_size` was given and contradicts."""
        self.check_derived(
            class_num=self.charset.num_classes,
            blank=self.charset.blank,
            num_step=self.preprocessing.time_steps,
            input_size=round(512 * self.channel_scale),
        )

    def adopting(self, artifact: Artifact) -> "Config":
        """The same with a model's network, alphabet and image width where the user gave none.

        Args:
            artifact: Of the model that a training starts from.
        """
        own = {
            "label_dict": artifact.charset.characters,
            "image_width": artifact.preprocessing.width,
            "model_version": artifact.network.version,
            "hidden_size": artifact.network.hidden_size,
            "channel_scale": artifact.network.channel_scale,
        }
        return self.replaced(**{name: value for name, value in own.items() if name not in self.given})

    def check_artifact(self, artifact: Artifact, origin: str) -> None:
        """Compares what the user gave with what a model says of itself.

        Raises:
            UserError: Naming both values, at the first that differs.
        """
        pairs = {
            "label_dict": (artifact.charset.characters, self.charset.characters),
            "image_height": (artifact.preprocessing.height, self.image_height),
            "image_width": (artifact.preprocessing.width, self.image_width),
            "model_version": (artifact.network.version, self.model_version),
            "hidden_size": (artifact.network.hidden_size, self.hidden_size),
            "channel_scale": (artifact.network.channel_scale, self.channel_scale),
            "class_num": (artifact.charset.num_classes, self.class_num),
            "blank": (artifact.charset.blank, self.blank),
            "num_step": (artifact.preprocessing.time_steps, self.num_step),
        }
        for name, (own, given) in pairs.items():
            if name in self.given and own != given:
                raise UserError(f"{origin}: was made with {name} {own!r}, but {name} {given!r} was given")

    def require(self, *names: str) -> None:
        """Raises UserError naming the first of these options that is empty."""
        for name in names:
            if self[name] == "":
                raise UserError(f"option --{name} is required")


def load_config(argv: Sequence[str], description: str = "") -> Config:
    """Reads the options.

    Args:
        argv: The command line without the program's name.
        description: For --help.

    Raises:
        UserError: For an unknown option or yaml key (the nearest known one is named), a value of the wrong
            type or not among the allowed, or a file that cannot be read.
    """
    defaults = read_yaml(DEFAULT_CONFIG)
    notes = _read_comments(DEFAULT_CONFIG.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False, add_help=True)
    parser.add_argument(
        "--config_path", "--_config_path", default="", help="yaml laid over default_config.yaml"
    )
    for key, value in defaults.items():
        note, choices = notes[key]
        note += f" [{', '.join(choices)}]" if choices else ""
        parser.add_argument(
            f"--{key}", default=argparse.SUPPRESS, metavar=type(value).__name__, help=note.replace("%", "%%")
        )
    known, unknown = parser.parse_known_args(argv)
    values, given = dict(defaults), set()
    if known.config_path:
        overlay = read_yaml(_find_yaml(known.config_path))
        for key in overlay:
            if key not in defaults:
                raise UserError(f"{known.config_path}: {unknown_message('key', str(key), defaults)}")
        values.update({key: _typed(key, v, defaults[key], known.config_path) for key, v in overlay.items()})
        given |= set(overlay)
    for key, text in vars(known).items():
        if key != "config_path":
            values[key] = _typed(key, text, defaults[key], "command line")
            given.add(key)
    _check_unknown(unknown, defaults, values["enable_modelarts"])
    for key, value in values.items():
        choices = notes[key][1]
        if choices and value not in choices:
            raise UserError(f"{key} is {value!r}, must be one of {', '.join(choices)}")
    for key, least in _LEAST.items():
        if not values[key] >= least:
            raise UserError(f"{key} is {values[key]}, must be at least {least}")
    if values["ema_decay"] >= 1:
        raise UserError(f"ema_decay is {values['ema_decay']}, must be below 1")
    return Config(values, frozenset(given))


def _find_yaml(name: str) -> Path:
    """The yaml of `config_path`: as it is, or beside default_config.yaml, as ModelArts starts elsewhere."""
    beside = DEFAULT_CONFIG.parent / name
    return beside if beside.is_file() and not Path(name).is_file() else Path(name)


def _check_unknown(unknown: Sequence[str], options: Mapping[str, Any], is_on_modelarts: bool) -> None:
    """Raises UserError for the first argument that is no option, except for what ModelArts adds.

    The platform passes options of its own, such as --init_method, --num_gpus and --task_index, and keeps no
    list of them: there only what is nearly one of our options is refused.

    Source: https://support.huaweicloud.com/intl/en-us/trouble-modelarts/modelarts_13_0012.html
    """
    for argument in unknown:
        name = argument.lstrip("-").split("=")[0]
        if not is_on_modelarts or difflib.get_close_matches(name, list(options), n=1, cutoff=0.8):
            raise UserError(unknown_message("option", name, options))
    if unknown:
        _logger.warning("not options of this program, ignored: %s", " ".join(unknown))


def read_yaml(path: Path) -> dict[str, Any]:
    """The first document of a yaml file, which must be a mapping.

    Raises:
        UserError: If it is missing, is no yaml, or holds something else.
    """
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a yaml file: {' '.join(str(error).split())}") from None
    first = documents[0] if documents else None
    if first is None:
        return {}
    if not isinstance(first, dict):
        raise UserError(f"{path}: expected lines of 'key: value'")
    return first


def _read_comments(text: str) -> dict[str, tuple[str, list[str]]]:
    """Key -> (help, allowed values), from the comment behind each option."""
    notes = {}
    for line in text.splitlines():
        match = _OPTION_LINE.match(line)
        if match:
            choices = match["choices"]
            notes[match["key"]] = (match["help"], [c.strip() for c in choices.split(",")] if choices else [])
    return notes


def _typed(key: str, value: Any, default: Any, origin: str) -> Any:
    """The value in the type of the option's default."""
    kind = type(default)
    if value is None:
        value = ""
    if kind is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "1", "yes"):
            return True
        if str(value).lower() in ("false", "0", "no"):
            return False
        raise UserError(f"{origin}: {key} is {value!r}, must be True or False")
    if kind in (int, float):
        try:
            if isinstance(value, bool):
                raise ValueError
            number = float(value)
            if not math.isfinite(number):
                raise ValueError
            if kind is float:
                return number
            if number != int(number):
                raise ValueError
            return int(number)
        except (ValueError, TypeError, OverflowError):
            wanted = "a whole number" if kind is int else "a number"
            raise UserError(f"{origin}: {key} is {value!r}, must be {wanted}") from None
    if not isinstance(value, str):
        raise UserError(f"{origin}: {key} is {value!r}, must be text: put it in quotes")
    return value
