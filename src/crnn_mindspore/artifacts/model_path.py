"""Which file a model's name means."""

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from crnn_mindspore.artifacts.artifact import METADATA_KEY
from crnn_mindspore.artifacts.checkpoint_file import STATE_KEY, read_texts
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import parse_json
from crnn_mindspore.shipped import shipped

_logger = logging.getLogger(__name__)

PRETRAINED = "pretrained"
WORDS = "words"
_SHIPPED = {  # task -> its weights
    WORDS: "pretrained/crnn_v2_half.ckpt",
    "lines": "pretrained/lines.ckpt",
    "characters": "pretrained/characters.ckpt",
    "plates": "pretrained/plates.ckpt",
}
BEST_NAME = "crnn-best.ckpt"
_BEST_NAMES = (BEST_NAME, "best_acc.ckpt", "best.ckpt")  # the last two are the model zoo's

# crnn-EPOCH_STEP.ckpt; crnn_1-... where that name was taken, as MindSpore's own ModelCheckpoint has it.
NUMBERED_NAME = re.compile(r"^crnn(?:_\d+)?-(\d+)_(\d+)\.ckpt$")


def resolve_model(name: str, task: str = WORDS) -> str:
    """The path of a model file.

    `pretrained` means the weights of a task that come with the project, `pretrained:lines` those of the task
    `lines`, whichever `task` is. A folder means its best checkpoint,
    and the newest where none is called so; the log says which.

    Raises:
        UserError: If a folder holds no checkpoint, or no weights come with the project for the task.
    """
    word, colon, named = name.partition(":")
    if word == PRETRAINED:
        task = named if colon else task
        if task not in _SHIPPED:
            raise UserError(
                f"task {task!r}: no weights come with the project yet; name a model, or train one "
                f"(those that have: {', '.join(_SHIPPED)})"
            )
        return str(shipped(_SHIPPED[task]))
    if not name or not Path(name).is_dir():
        return name
    path, why = _of_folder(Path(name))
    _logger.info("%s: taking %s, %s", name, path.name, why)
    return str(path)


def _of_folder(folder: Path) -> tuple[Path, str]:
    for best in _BEST_NAMES:
        if (folder / best).is_file():
            return folder / best, "the best of its training"
    found = in_order(folder.glob("*.ckpt"))
    if not found:
        raise UserError(f"{folder}: is a folder without a checkpoint (*.ckpt); name the model file")
    return found[-1], f"the newest of {len(found)}"


def in_order(checkpoints: Iterable[Path]) -> list[Path]:
    """Checkpoints, the oldest first, whatever the times of the files.

    By what their states say: the training, counted in its folder, then the images seen. Those without a
    state come first, by the numbers in their names; so do those that cannot be read.
    """
    return [path for _, path in sorted((_age(path), path) for path in checkpoints)]


def _age(path: Path) -> tuple[int, int, int, list[int]]:
    try:
        texts = read_texts(str(path))
    except UserError:
        texts = {}
    numbers = [int(digits) for digits in re.findall(r"\d+", path.stem)]
    state = _number_fields(texts.get(STATE_KEY, ""))
    step = _number_fields(texts.get(METADATA_KEY, "")).get("step", 0)
    return state.get("run_number", 0), state.get("images_seen", 0), step, numbers


def _number_fields(text: str) -> dict[str, int]:
    try:
        found = parse_json(text or "{}")
    except ValueError:
        return {}
    return {k: v for k, v in found.items() if isinstance(v, int)} if isinstance(found, dict) else {}
