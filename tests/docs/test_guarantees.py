"""The page of what is guaranteed: every test that it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"\b(test_[a-z0-9_]+)\b(?!\.py)")
DEFINED = re.compile(r"^def (test_\w+)", re.MULTILINE)


@pytest.mark.parametrize("page", ["docs/guarantees.md", "docs/zh/guarantees.md"])
def test_every_test_that_the_page_names_is_there(page: str) -> None:
    named = set(NAMED.findall((ROOT / page).read_text(encoding="utf-8")))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in DEFINED.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    assert named <= defined
