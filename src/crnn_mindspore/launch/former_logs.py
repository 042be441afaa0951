"""The logs of a former start: kept beside those of the next."""

import logging
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from crnn_mindspore.errors import UserError

_logger = logging.getLogger(__name__)

# Of all ranks and launchers, whatever started last time.
_PATTERNS = ("worker_*.log", "scheduler.log", "msrun.log", "mpirun.log", "*/rank.*/stdout")


def put_logs_aside(folder: Path) -> None:
    """Moves the logs that lie in a folder into one of their own in it, `former_logs_1`, `former_logs_2`, ...

    Raises:
        UserError: If they cannot be moved.
    """
    logs = [path for pattern in _PATTERNS for path in sorted(folder.glob(pattern))]
    if not logs:
        return
    target = _first_new(folder / f"former_logs_{number}" for number in count(1))
    try:
        for log in logs:
            kept = target / log.relative_to(folder)
            kept.parent.mkdir(parents=True, exist_ok=True)
            log.rename(kept)
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}") from None
    _logger.info("the logs of the start before are in %s", target)


def _first_new(paths: Iterable[Path]) -> Path:
    return next(path for path in paths if not path.exists())
