"""The shape of the repository: who imports whom, what importing does, and that the README's tree is true."""

import ast
import os
import re
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A folder or module imports from its own layer and from those before it.
LAYERS = (
    ("src.text", "src.metric", "src.errors", "src.progress_bar"),
    ("src.data", "src.dataset", "src.synth"),
    ("src.inference",),
    ("src.serving",),
    ("src.crnn", "src.winograd", "src.loss", "src.crnn_for_train"),
    ("src.training", "src.exporting", "src.launch", "src.model_utils"),
)
FIRST_WITH_MINDSPORE = 4


def modules() -> dict[str, Path]:
    """Dotted name -> file of every module of src that holds code."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if path.read_text(encoding="utf-8").strip():
            found[name] = path
    return found


def imports_of(path: Path) -> set[str]:
    """Dotted names of what a file imports anywhere in it, `from a import b` as `a.b` and `a`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def layer_of(module: str) -> int:
    (layer,) = [
        i for i, parts in enumerate(LAYERS) if any(module == p or module.startswith(f"{p}.") for p in parts)
    ]
    return layer


MODULES = modules()


def test_every_module_belongs_to_one_layer() -> None:
    assert len(MODULES) > 30
    for module in MODULES:
        layer_of(module)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_layer_and_those_before(module: str) -> None:
    for imported in imports_of(MODULES[module]) & MODULES.keys():
        assert layer_of(imported) <= layer_of(module), f"{module} imports {imported}"


@pytest.mark.parametrize("module", [m for m in MODULES if layer_of(m) < FIRST_WITH_MINDSPORE])
def test_the_first_layers_never_import_mindspore(module: str) -> None:
    assert not [name for name in imports_of(MODULES[module]) if name.split(".")[0] == "mindspore"]


def test_imports_have_no_cycle() -> None:
    graph = {module: imports_of(path) & MODULES.keys() - {module} for module, path in MODULES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_the_configuration_is_read_by_top_level_files_only() -> None:
    for module, path in MODULES.items():
        if not module.startswith("src.model_utils."):
            assert not [name for name in imports_of(path) if name.startswith("src.model_utils")], module


def test_a_cycle_or_a_step_upwards_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "def f():\n    from src.training import trainer\n    import mindspore.nn\n"
    )
    assert imports_of(tmp_path / "a.py") == {"src.training", "src.training.trainer", "mindspore.nn"}
    assert layer_of("src.training.trainer") > layer_of("src.text.greedy")


IMPORT_ALL = r"""
import importlib, logging, os, pathlib, random, signal, sys, threading, warnings
import numpy as np
warnings.simplefilter("ignore")
if {with_mindspore}:
    import mindspore
else:
    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == "mindspore":
                raise ModuleNotFoundError("blocked", name="mindspore")
    sys.meta_path.insert(0, Blocker())
sys.argv = ["other", "--bach_size", "1", "stray"]

def state():
    return {{
        "argv": list(sys.argv),
        "environment": dict(os.environ),
        "numpy": repr(np.random.get_state()),
        "random": random.getstate(),
        "handlers": list(logging.getLogger().handlers) + list(logging.getLogger("src").handlers),
        "signals": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
        "files": sorted(map(str, pathlib.Path.cwd().rglob("*"))),
        "mode": sys.modules["mindspore"].get_context("mode") if {with_mindspore} else None,
        "threads": threading.active_count(),
    }}

import cv2, scipy, PIL.Image, yaml, tqdm  # whatever these do is not ours
before = state()
for name in {names!r}:
    importlib.import_module(name)
after = state()
for key, value in before.items():
    assert after[key] == value, (key, value, after[key])
"""


def import_in_a_fresh_process(names: list[str], with_mindspore: bool, folder: Path) -> None:
    program = IMPORT_ALL.format(names=names, with_mindspore=with_mindspore)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GLOG_v": "3", "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_importing_does_nothing_whatever_the_command_line(tmp_path: Path) -> None:
    programs = sorted(path.stem for path in ROOT.glob("*.py"))
    assert {"train", "eval", "predict"} <= set(programs)
    import_in_a_fresh_process([*MODULES, *programs], True, tmp_path)


def test_the_first_layers_are_imported_where_mindspore_is_not_installed(tmp_path: Path) -> None:
    names = [m for m in MODULES if layer_of(m) < FIRST_WITH_MINDSPORE]
    names += ["src.model_utils.config", "eval", "eval_onnx", "predict", "render_words", "serve"]
    import_in_a_fresh_process(names, False, tmp_path)


def repository_files() -> set[str]:
    """Tracked and new files in the places that the README's tree describes."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")  # as in an image
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip("not a git checkout")  # an unpacked archive: what belongs to it is not known
    listed = {name for name in result.stdout.split("\0") if name and (ROOT / name).is_file()}
    described = ("src", "scripts", "configs", "benchmarks", "tests")
    return {
        name
        for name in listed
        if ("/" not in name or name.split("/")[0] in described)
        # A package's empty marker says nothing.
        and not (name.endswith("__init__.py") and not (ROOT / name).read_text(encoding="utf-8").strip())
    }


def tree_lines() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        lines = block.splitlines()
        if any(line.split()[:1] == ["README.md"] for line in lines):
            return [line for line in lines if line.strip()]
    raise AssertionError("README.md holds no tree: a code block with a line for README.md")


def test_the_readmes_tree_is_the_repository_a_line_a_file_with_what_it_is() -> None:
    entries = [line.split(None, 1) for line in tree_lines()]
    paths = [entry[0] for entry in entries]
    assert not [entry for entry in entries if len(entry) < 2], "files without a description"
    assert len(paths) == len(set(paths)), "files listed twice"
    described = {p for p in paths if not p.endswith("/")}
    files = repository_files()
    assert not sorted(files - described), "in the repository, not in README.md"
    missing = sorted(p for p in paths if not (ROOT / p).exists())
    assert not missing, "in README.md, not in the repository"


@pytest.mark.parametrize("name", ["README.md", "README_CN.md"])
def test_the_readmes_state_the_two_commands(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for command in ("bash scripts/run_demo.sh", "bash scripts/run_tests.sh"):
        assert command in text
        assert (ROOT / command.removeprefix("bash ")).is_file()


def test_continuous_integration_calls_the_readmes_test_command() -> None:
    assert "bash scripts/run_tests.sh" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
