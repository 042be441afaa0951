"""Stands in for MoXing: its documented functions on a folder that plays object storage.

MOXING_ROOT is the folder: obs://bucket/a is its bucket/a. Each call becomes a line of MOXING_LOG: process,
function, source, target. Copies whose source or target holds MOXING_FAIL raise. While MOXING_GATE names a
missing file, copy_parallel has begun but waits for it.
"""

import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace


def _place(url: str) -> Path:
    for scheme in ("obs://", "s3://"):
        if url.startswith(scheme):
            return Path(os.environ["MOXING_ROOT"], url.removeprefix(scheme))
    return Path(url)


def _record(function: str, source: str, target: str) -> None:
    with open(os.environ["MOXING_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{os.getpid()}\t{function}\t{source}\t{target}\n")
    gate = os.environ.get("MOXING_GATE")
    while function == "copy_parallel" and gate and not os.path.exists(gate):
        time.sleep(0.01)
    failing = os.environ.get("MOXING_FAIL")
    if failing and failing in source + target:
        raise RuntimeError("storage says no")


def exists(url: str) -> bool:
    return _place(url).exists()


def is_directory(url: str) -> bool:
    return _place(url).is_dir()


def stat(url: str) -> SimpleNamespace:
    status = _place(url).stat()
    return SimpleNamespace(
        length=status.st_size, mtime_nsec=status.st_mtime_ns, is_directory=is_directory(url)
    )


def list_directory(url: str, recursive: bool = False) -> list[str]:
    assert recursive
    # Storage knows no order of age, nor of numbers.
    return sorted((str(p.relative_to(_place(url))) for p in _place(url).rglob("*")), reverse=True)


def copy(src_url: str, dst_url: str) -> None:
    _record("copy", src_url, dst_url)
    if dst_url.startswith(("obs://", "s3://")):
        _place(dst_url).parent.mkdir(parents=True, exist_ok=True)  # storage has no folders to make
    shutil.copyfile(_place(src_url), _place(dst_url))


def copy_parallel(src_url: str, dst_url: str) -> None:
    files = sorted(p for p in _place(src_url).rglob("*") if p.is_file())
    for path in files[: len(files) // 2]:  # the first half at once, the rest behind the gate
        _one(path, src_url, dst_url)
    _record("copy_parallel", src_url, dst_url)
    for path in files[len(files) // 2 :]:
        _one(path, src_url, dst_url)


def _one(path: Path, src_url: str, dst_url: str) -> None:
    target = _place(dst_url) / path.relative_to(_place(src_url))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


file = SimpleNamespace(
    exists=exists,
    is_directory=is_directory,
    stat=stat,
    list_directory=list_directory,
    copy=copy,
    copy_parallel=copy_parallel,
)
