"""The log of each process under the model zoo's name for it: train_parallelN/log.txt."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

_logger = logging.getLogger(__name__)

_NAME = "log.txt"


def link_logs(logs: Mapping[int, Path], beginning: str) -> None:
    """Makes a link `BEGINNINGn/log.txt` to the log of each rank n; the log may be written later.

    A file of that name that is not a link is not ours and stays. What cannot be made is a warning: the logs
    themselves are where they are.

    Args:
        logs: Rank -> its log.
        beginning: Of the folders' paths.
    """
    for rank, log in logs.items():
        link = Path(f"{beginning}{rank}") / _NAME
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            if link.exists() and not link.is_symlink():
                _logger.warning("%s: not a link, left as it is; the log of process %d is %s", link, rank, log)
                continue
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(log, link.parent))
        except OSError as error:
            _logger.warning("%s: %s; the log of process %d is %s", link, error.strerror, rank, log)
