"""Links in what a job copies in and out lead nowhere outside."""

from pathlib import Path

import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.modelarts.storage import _files_in, fetch


def test_a_data_set_is_copied_in_without_what_lies_outside(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    (there / "images").mkdir(parents=True)
    (there / "images" / "a.png").write_bytes(b"a")
    (there / "images" / "b.png").symlink_to("a.png")
    (tmp_path / "secret").write_bytes(b"secret")
    here.mkdir()
    (here / "images").mkdir()
    (here / "images" / "a.png").symlink_to(tmp_path / "secret")  # planted where it is copied to
    fetch(str(there), here)
    assert (here / "images" / "b.png").read_bytes() == (here / "images" / "a.png").read_bytes() == b"a"
    assert (tmp_path / "secret").read_bytes() == b"secret"
    (there / "images" / "c.png").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match=r"c\.png: a symbolic link leads out"):
        fetch(str(there), here)
    (there / "images" / "c.png").unlink()
    (tmp_path / "private").mkdir()
    (there / "more").symlink_to(tmp_path / "private")
    with pytest.raises(UserError, match="more: a symbolic link leads out"):
        fetch(str(there), here)


def test_results_that_lie_outside_are_not_copied_out(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "log.txt").write_bytes(b"log")
    (folder / "log.txt").symlink_to("logs/log.txt")
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "planted").symlink_to(tmp_path / "secret")
    assert [path.name for path, _ in _files_in(folder)] == ["log.txt", "log.txt"]
