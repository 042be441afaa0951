"""Rendering processes run the code of the process that starts them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_another_installed_package_is_not_taken_for_a_checkouts_own(tmp_path: Path) -> None:
    other = tmp_path / "site" / "crnn_mindspore"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise RuntimeError('the other installation')\n", encoding="utf-8")
    result = subprocess.run(
        [
            *(sys.executable, "-m", "src", "render", f"--output_dir={tmp_path / 'words'}"),
            *("--num_train=8", "--num_test=0", "--num_workers=2"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(other.parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "words").rglob("*.*g"))) == 8
