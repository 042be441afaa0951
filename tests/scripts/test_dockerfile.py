"""The Dockerfile and its .dockerignore: stages, what enters an image, and under which user it runs."""

import os
import re
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

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


LOCKS = ("requirements-lock.txt", "requirements-server-lock.txt", "requirements-ascend-lock.txt")


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Package -> its version, and of how many files the hash is there."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = {}
    for entry in entries:
        match = re.fullmatch(r"([a-z0-9.-]+)==(\S+)((?: +--hash=sha256:[0-9a-f]{64})+) *", entry)
        assert match, entry
        found[match[1]] = match[2], match[3].count("--hash")
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_locked_by_the_hashes_of_its_files(name: str) -> None:
    found, whole = locked(name), locked("requirements-lock.txt")
    assert len(found) > 8 and min(count for _, count in found.values()) >= 1
    assert {package: version for package, (version, _) in found.items() if package in whole}.items() <= {
        package: version for package, (version, _) in whole.items()
    }.items()
    version = pytest.importorskip("packaging.version").Version
    lines = (ROOT / name.replace("-lock", "")).read_text(encoding="utf-8").splitlines()
    words = [line.split()[0] for line in lines if line and not line.startswith(("#", "-"))]
    for word in words:
        package, _, pinned = word.partition("==")
        assert (package := package.lower().replace("_", "-")) in found, f"{package}: run `make lock`"
        assert not pinned or version(found[package][0]) == version(pinned), f"{package}: run `make lock`"


def test_images_are_made_from_locked_packages() -> None:
    installs = re.findall(r"pip install [^&]*", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    environment = (ROOT / "scripts" / "environment.sh").read_text(encoding="utf-8")
    assert "--require-hashes -r requirements-server-lock.txt" in re.sub(r"[\\\s]+", " ", installs[0])
    assert '--require-hashes -r "$lock"' in environment
    assert "imagetools inspect python:3.11.13-slim-bookworm" in (ROOT / "Dockerfile").read_text(
        encoding="utf-8"
    )


@pytest.fixture(scope="module")
def health() -> ModuleType:
    """The image's health check."""
    spec = spec_from_file_location("health", ROOT / "scripts" / "health.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SERVE = (
    "/opt/crnn/.venv/bin/python",
    "-u",
    "/opt/crnn/src/__main__.py",
    "serve",
    "--checkpoint_path=pretrained",
)


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ((*SERVE, "--port=8000", "--host=0.0.0.0"), "127.0.0.1:8000"),
        ((*SERVE, "--port=8000", "--host=0.0.0.0", "--port", "9000"), "127.0.0.1:9000"),
        ((*SERVE, "--port=80", "--host=::"), "[::1]:80"),
        ((*SERVE, "--port=80", "--host=10.0.0.7"), "10.0.0.7:80"),
        (SERVE, "127.0.0.1:8000"),
        (("bash", "/opt/crnn/scripts/run_server.sh", "pretrained", "8000"), ""),
        (("/sbin/docker-init", "--", "bash"), ""),
    ],
)
def test_the_health_check_asks_where_the_process_serves(
    words: tuple[str, ...], address: str, health: ModuleType, tmp_path: Path
) -> None:
    assert health.address_of(words) == address
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_text("\0".join([*words, ""]), encoding="utf-8")
    if not address:
        assert health.main(tmp_path) == 1


@pytest.mark.parametrize(
    ("environment", "arguments", "hosts"),
    [
        ({}, (), ["0.0.0.0"]),
        ({"EXTRA_OPTIONS": "--decoder=prior"}, (), ["0.0.0.0"]),
        ({"EXTRA_OPTIONS": "--host=127.0.0.1"}, (), ["0.0.0.0", "127.0.0.1"]),
        ({}, ("--", "--host=::"), ["0.0.0.0", "::"]),
        ({"SERVE_HOST": ""}, (), []),
    ],
)
def test_further_options_do_not_close_a_container(
    environment: dict[str, str], arguments: tuple[str, ...], hosts: list[str], tmp_path: Path
) -> None:
    """The last of several counts; `--host=0.0.0.0` stood in EXTRA_OPTIONS, which other options replaced."""
    steps = next(
        s.steps for s in parse((ROOT / "Dockerfile").read_text(encoding="utf-8")) if s.name == "server"
    )
    (own,) = [value for name, value in steps if name == "ENV" and "HOST" in value]
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if name != "EXTRA_OPTIONS"}
    variables = inherited | dict([own.split("=")]) | environment | {"PYTHON": str(tmp_path / "python")}
    command = ["bash", str(ROOT / "scripts" / "run_server.sh"), "pretrained", "8000", *arguments]
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    given = [word.partition("=")[2] for word in result.stdout.splitlines() if word.startswith("--host=")]
    assert given == hosts
