"""The pages for people: their length, their links, and their commands, which are run.

A block marked `bash` or `python` takes seconds and needs nothing but the checkout: it is run here. A block
marked `sh` takes longer, or needs data of the reader's own.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README_CN.md")
PAGES = sorted(
    [
        *(ROOT / name for name in (*READMES, "CHANGELOG.md", "THIRD_PARTY.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / folder / "README.md" for folder in ("benchmarks", "pretrained")),
    ]
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and content of each code block."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def shown(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("name", READMES)
def test_the_readme_is_read_in_two_minutes(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), f"{shown(page)}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{shown(page)}: {target}"


def slug(heading: str) -> str:
    """What a heading is called in a link, as GitHub has it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_page_is_linked_from_another() -> None:
    linked = set()
    for page in PAGES:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            linked.add((page.parent / target.partition("#")[0]).resolve())
    lost = [shown(page) for page in (ROOT / "docs").rglob("*.md") if page.resolve() not in linked]
    assert not lost


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "zh").glob("*.md")), ids=shown)
def test_the_chinese_page_has_the_commands_of_the_english_one(page: Path) -> None:
    english = blocks(ROOT / "docs" / page.name)
    assert [without_comments(block) for block in blocks(page)] == [without_comments(b) for b in english]


def without_comments(block: tuple[str, str]) -> tuple[str, str]:
    """A block without what is said in words behind its lines."""
    return block[0], re.sub(r"\s+# .*$", "", block[1], flags=re.MULTILINE)


def runnable() -> Iterator[tuple[Path, int, str, str]]:
    """Page, number of the block, language and content of what is run."""
    for page in PAGES:
        if page.name in ("README_CN.md",) or "zh" in page.parts:
            continue  # the same commands
        for number, (language, content) in enumerate(blocks(page)):
            if language in ("bash", "python"):
                yield page, number, language, content


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder like the checkout's top, free to be written into, and an environment with `crnn` in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for path in ROOT.iterdir():
        if path.suffix in (".py", ".yaml", ".toml") or path.name in (
            "configs",
            "docs",
            "examples",
            "pretrained",
            "src",
        ):
            (folder / path.name).symlink_to(path)
    programs = tmp_path_factory.mktemp("programs")
    (programs / "crnn").write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/src/__main__.py "$@"\n')
    (programs / "python").symlink_to(sys.executable)
    (programs / "crnn").chmod(0o755)
    return folder, {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}


@pytest.mark.parametrize(
    ("page", "number", "language", "content"),
    [pytest.param(*case, id=f"{shown(case[0])}-{case[1]}") for case in runnable()],
)
def test_commands_and_programs_work(
    checkout: tuple[Path, dict[str, str]], page: Path, number: int, language: str, content: str
) -> None:
    folder, environment = checkout
    if language == "python":
        command = [sys.executable, "-c", content]
    else:
        lines = [
            line for line in content.splitlines() if not line.startswith("pip install")
        ]  # test_install.py
        command = ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, (content, result.stdout[-2000:], result.stderr[-2000:])
