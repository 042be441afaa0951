"""Installing: a wheel and an editable checkout in an environment of their own, and what they bring."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def packages(lines: list[str]) -> dict[str, str]:
    """Name -> what is asked of the version."""
    found = {}
    for line in lines:
        match = re.match(r"([\w.-]+)(.*)", line.split("#")[0].strip())
        if match:
            found[match[1].lower().replace("_", "-")] = match[2].strip()
    return found


def test_the_pinned_versions_are_within_the_ranges_and_complete() -> None:
    version = pytest.importorskip("packaging.version")
    specifiers = pytest.importorskip("packaging.specifiers")
    pinned = packages((ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines())
    wanted: dict[str, list[str]] = {}
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        for name, asked in packages(lines).items():
            wanted.setdefault(name, []).append(asked)
    assert wanted.keys() == pinned.keys()
    for name, ranges in wanted.items():
        for asked in ranges:
            number = version.Version(pinned[name].removeprefix("=="))
            assert specifiers.SpecifierSet(asked).contains(number), (name, asked)


def test_the_service_needs_what_the_reader_and_its_extra_need() -> None:
    lines = (ROOT / "requirements-server.txt").read_text(encoding="utf-8").splitlines()
    listed = packages([line for line in lines if not line.startswith("-")])
    asked = packages([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["serve"]])
    assert listed.keys() == asked.keys()


def run(*command: object, folder: Path) -> str:
    result = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    assert result.returncode == 0, result
    return result.stdout


@pytest.mark.slow
def test_a_wheel_and_an_editable_install_read_images_from_anywhere(tmp_path: Path) -> None:
    """The base install: no MindSpore, the newest packages that the ranges allow."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "venv", tmp_path / "venv", folder=tmp_path)
    binaries = tmp_path / "venv" / "bin"
    pip = (binaries / "python", "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT, folder=tmp_path)
    (wheel,) = tmp_path.glob("crnn_mindspore-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    templates = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("templates/*")}
    assert len(templates) > 10
    assert templates <= names
    run(*pip, "install", wheel, folder=tmp_path)
    assert "mindspore==" not in run(*pip, "freeze", folder=tmp_path).replace("crnn-mindspore", "")

    def read() -> list[list[str]]:
        images = sorted((ROOT / "examples").glob("*.png"))
        out = run(binaries / "crnn", "read", *images, "--format=tsv", folder=elsewhere)
        return [line.split("\t") for line in out.splitlines()]

    def place_of_options() -> Path:
        program = "from crnn_mindspore.shipped import shipped; print(shipped('default_config.yaml'))"
        return Path(run(binaries / "python", "-c", program, folder=elsewhere).strip())

    from_wheel = read()
    assert [row[1] for row in from_wheel] == sorted(path.stem for path in (ROOT / "examples").glob("*.png"))
    assert place_of_options().is_relative_to(tmp_path / "venv")
    commit = run(binaries / "crnn", "--version", folder=elsewhere)
    assert commit.startswith(f"crnn {PROJECT['version']}")
    refused = subprocess.run(
        [binaries / "crnn", "train"], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert refused.stderr == (
        "error: this needs the package mindspore, which is not installed: "
        "pip install 'crnn-mindspore[train]'\n"
    )

    run(*pip, "install", "--no-deps", "--editable", ROOT, folder=tmp_path)
    assert place_of_options() == ROOT / "default_config.yaml"
    assert read() == from_wheel
    api = "from crnn_mindspore import Recognizer; print(Recognizer.load()([b'x'])[0].error != '')"
    assert run(binaries / "python", "-c", api, folder=elsewhere) == "True\n"
