"""One run at a time in a folder."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from crnn_mindspore.errors import UserError

_logger = logging.getLogger(__name__)


@contextmanager
def alone_in(folders: Iterable[Path]) -> Iterator[bool]:
    """Holds folders, which must exist, for this run; the kernel lets go of them however it ends.

    Yields:
        Whether they are held; False where the file system cannot lock a folder.

    Raises:
        UserError: If a run that is still alive holds one of them.
    """
    with ExitStack() as held:
        is_held = True
        for folder in sorted({folder.resolve() for folder in folders}):
            descriptor = os.open(folder, os.O_RDONLY)
            held.callback(os.close, descriptor)
            is_held = _lock(descriptor, folder) and is_held
        yield is_held


def _lock(descriptor: int, folder: Path) -> bool:
    import fcntl  # Windows has none: there this module is only imported

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"{folder}: another run that has not ended yet writes here; wait for it, or give "
            "--save_checkpoint_path and --output_dir other folders"
        ) from None
    except OSError as error:  # some network file systems
        _logger.info("%s: cannot be locked (%s); start no second run there", folder, error.strerror)
        return False
    return True
