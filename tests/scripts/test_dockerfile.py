"""The Dockerfile and its .dockerignore: stages, what enters an image, and under which user it runs."""

from pathlib import Path

import pytest
from replay_dockerfile import Stage, context_files, is_ignored, needed, parse

ROOT = Path(__file__).resolve().parents[2]

TEXT = """# a comment
ARG BASE=x
FROM ${BASE} AS tools
RUN one && \\
    # a comment between
    two
FROM x AS other
FROM x AS last
COPY --from=tools /a b
USER 7
"""


def test_stages_hold_their_instructions_with_lines_joined() -> None:
    stages = parse(TEXT)
    assert stages == [
        Stage("tools", [("RUN", "one &&     two")]),
        Stage("other", []),
        Stage("last", [("COPY", "--from=tools /a b"), ("USER", "7")]),
    ]
    assert [stage.name for stage in needed(stages, "last")] == ["tools", "last"]


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("secret.env", True),
        ("data/a.jpg", True),
        ("model.ckpt", True),
        (".git/config", True),
        (".venv/bin/python", True),
        ("demo/words/a.py", True),
        ("train.py", False),
        ("requirements-server.txt", False),
        ("src/text/charset.py", False),
        ("src/text/__pycache__/charset.pyc", True),
        ("pretrained/crnn_v2_half.ckpt", False),
        (".ci/run", False),
        ("cpp_infer/src/main.cc", False),
        ("cpp_infer/build/main.o", True),
    ],
)
def test_what_is_not_named_stays_out_of_an_image(path: str, ignored: bool) -> None:
    assert is_ignored(path, (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()) is ignored


def test_the_context_is_walked_without_ignored_folders(tmp_path: Path) -> None:
    for name in ("a.py", "b.txt", "src/c.py", "src/__pycache__/c.pyc", "data/d.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".dockerignore").write_text("*\n!*.py\n!src\n**/__pycache__\n", encoding="utf-8")
    assert sorted(context_files(tmp_path)) == ["a.py", "src/c.py"]


def test_every_image_runs_as_a_user_and_on_pinned_bases() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    final = {stage.name: stage.steps for stage in parse(text) if stage.name in ("server", "train")}
    assert set(final) == {"server", "train"}
    assert parse(text)[-1].name == "train"  # the default
    for steps in final.values():
        assert [value for name, value in steps if name == "USER"] == ["${USER_ID}"]
        assert ("ARG", "USER_ID=1000") in steps
    assert "HEALTHCHECK" in dict(final["server"])
    assert ":latest" not in text
    assert "ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm\n" in text


def test_requirements_name_exact_versions() -> None:
    lines = (ROOT / "requirements-ascend.txt").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert packages and all(line.count("==") == 1 for line in packages)


def test_files_keep_their_line_feeds_in_a_checkout_on_windows() -> None:
    """Images are built from it, and a script with other line ends does not run."""
    assert "* text=auto eol=lf" in (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    for path in [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run", ROOT / "Dockerfile"]:
        assert b"\r" not in path.read_bytes(), path
