"""The house: who imports from whom, where MindSpore is needed, what importing does, how full a room is."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "crnn_mindspore"

# The rooms, lowest first: each imports from those before it and from itself, so that there is no cycle.
ROOMS = (
    "",  # the package's own files: errors, text files, progress
    "guards",
    "options",
    "text",
    "text.decoders",
    "data",
    "data.sources",
    "data.readers",
    "data.loading",
    "data.checking",
    "data.converting",
    "synth.effects",
    "synth.typefaces",
    "synth.words",
    "synth",
    "synth.characters",
    "synth.plates",
    "tasks",
    "artifacts",
    "artifacts.torch",
    "tasks.ctc",
    "tasks.positions",
    "engines",
    "reading",
    "evaluation",
    "report",
    "offline",
    "serving",
    # From here on MindSpore is needed.
    "networks",
    "engines.mindspore",
    "tasks.ctc.learning",
    "tasks.positions.learning",
    "training.updates",
    "training.checkpoints",
    "training.watching",
    "training",
    "exporting",
    # What starts the others; imports MindSpore's rooms inside functions, when the environment is set.
    "launch",
    "modelarts",
    "doctor",
    "cli",
)
NEED_MINDSPORE = frozenset(ROOMS[ROOMS.index("networks") : ROOMS.index("launch")])
START = frozenset(ROOMS[ROOMS.index("launch") :])
# Modules of these rooms that set the environment first, and import MindSpore inside functions.
SET_THE_ENVIRONMENT = ("engines.mindspore.runtime", "engines.mindspore.opening")
# What stands before the networks and names a room of MindSpore all the same: as text, to be imported late.
LAZY_DOORS = ("engines.backend", "tasks.ctc.kind", "tasks.positions.kind")
# Everything that `pip install .` without extras must run, on any system.
READER = ROOMS[: ROOMS.index("serving")]
# Rooms that serve every kind of output: what they need of one they ask it for.
SERVE_ALL = (
    *("artifacts", "data.loading", "data.checking", "engines", "reading", "evaluation", "report", "offline"),
    *("serving", "engines.mindspore", "training.updates", "training.checkpoints", "training.watching"),
    *("training", "exporting", "launch", "modelarts", "cli"),
)
# Modules of these rooms that name a kind of output all the same, and why.
NAMES_A_KIND = {
    "engines.mindspore.network_backend": "a checkpoint that does not describe itself is the model zoo's CRNN",
    "cli.convert_weights": "describes such checkpoints",
}
# What only CTC has, in the text below the tasks.
OF_CTC = {f"text.decoders.{path.stem}" for path in (PACKAGE / "text" / "decoders").glob("[a-z]*.py")}
ONLY_POSIX = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "posix"}
MOST_FILES = 16
MAY_BE_FULL = {"cli"}
MAY_STAND_TWICE = {"__init__.py", "__main__.py"}


def dotted(path: Path) -> str:
    """Name of a module without the package's: "text.charset"."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def is_entry(path: Path) -> bool:
    """Whether it is the package's own door, `__init__` or `__main__`, which hands over to the rooms."""
    return path.parent == PACKAGE and path.name in MAY_STAND_TWICE


MODULES = {
    dotted(path): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.read_text(encoding="utf-8").strip() and not is_entry(path)
}


def room_of(module: str) -> str:
    return module.rpartition(".")[0]


def imports_of(tree: ast.AST, only_at_import: bool = False) -> set[str]:
    """Dotted names of what is imported, `from a import b` as `a.b` and `a`; without the package's name."""
    names: set[str] = set()
    nodes = ast.walk(tree) if not only_at_import else at_import(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.removeprefix("crnn_mindspore.") for name in names}


def at_import(tree: ast.AST) -> list[ast.AST]:
    """The nodes that run when a module is imported: no function's, and nothing for the type checker alone."""
    found, pending = [], [tree]
    while pending:
        node = pending.pop()
        found.append(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        pending += ast.iter_child_nodes(node)
    return found


def tree_of(module: str) -> ast.AST:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def first(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_every_module_lies_in_a_room() -> None:
    assert len(MODULES) > 100
    assert {room_of(module) for module in MODULES} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_room_and_from_those_before(module: str) -> None:
    allowed = ROOMS[: ROOMS.index(room_of(module)) + 1]
    for imported in imports_of(tree_of(module)) & MODULES.keys():
        assert room_of(imported) in allowed, f"{module} imports {imported}"


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) in SERVE_ALL])
def test_what_serves_all_tasks_knows_none(module: str) -> None:
    named = {
        name for name in imports_of(tree_of(module)) if name.startswith(("tasks.ctc", "tasks.positions"))
    }
    assert bool(named) == (module in NAMES_A_KIND), f"{module} imports {named}"
    assert not imports_of(tree_of(module)) & OF_CTC


def test_imports_have_no_cycle() -> None:
    graph = {module: imports_of(tree_of(module)) & MODULES.keys() - {module} for module in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) not in NEED_MINDSPORE])
def test_mindspore_is_reached_through_its_rooms_alone(module: str) -> None:
    assert "mindspore" not in first(imports_of(tree_of(module)))
    early = imports_of(tree_of(module), only_at_import=True) & MODULES.keys() - set(SET_THE_ENVIRONMENT)
    needed = {name for name in early if room_of(name) in NEED_MINDSPORE}
    assert not needed, f"{module} needs MindSpore when it is imported: {needed}"
    if room_of(module) not in START:
        text = MODULES[module].read_text(encoding="utf-8")
        named = any(f'"crnn_mindspore.{room}.' in text for room in NEED_MINDSPORE)
        assert named == (module in LAZY_DOORS)


@pytest.mark.parametrize("module", SET_THE_ENVIRONMENT)
def test_what_sets_the_environment_imports_mindspore_later(module: str) -> None:
    assert "mindspore" not in first(imports_of(tree_of(module), only_at_import=True))


def test_commands_do_not_import_commands() -> None:
    commands = {m for m in MODULES if room_of(m) == "cli"} - {"cli.command", "cli.main"}
    for module in commands:
        assert not imports_of(tree_of(module)) & commands - {module}, module


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) in READER])
def test_the_reader_imports_nothing_that_only_posix_has(module: str) -> None:
    assert not first(imports_of(tree_of(module))) & ONLY_POSIX


def test_winograd_and_the_reversal_of_time_are_the_cpus_own() -> None:
    assert "inograd" not in MODULES["networks.crnn"].read_text(encoding="utf-8")


def test_no_room_is_too_full_and_no_file_name_stands_twice() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path.name not in MAY_STAND_TWICE]
    counts = Counter(room_of(dotted(path)) for path in files)
    assert not {room: n for room, n in counts.items() if n > MOST_FILES and room not in MAY_BE_FULL}
    # What a kind of output is made of has the same names in each of its rooms.
    shared = [p for p in files if room_of(dotted(p)) != "cli" and not room_of(dotted(p)).startswith("tasks.")]
    names = Counter(path.name for path in shared)
    assert not [name for name, count in names.items() if count > 1]


def test_a_step_upwards_or_an_early_import_would_be_seen() -> None:
    tree = ast.parse(
        "if TYPE_CHECKING:\n    import torch\ndef f():\n    from crnn_mindspore.training import trainer\n"
        "import mindspore.nn\n"
    )
    assert imports_of(tree) == {"torch", "training", "training.trainer", "mindspore.nn"}
    assert imports_of(tree, only_at_import=True) == {"mindspore.nn"}


# --- what importing does ---

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
        "handlers": list(logging.getLogger().handlers) + list(logging.getLogger("crnn_mindspore").handlers),
        "signals": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
        "files": sorted(map(str, pathlib.Path.cwd().rglob("*"))),
        "mode": sys.modules["mindspore"].get_context("mode") if {with_mindspore} else None,
        "threads": threading.active_count(),
        "path": list(sys.path),
    }}

import cv2, scipy, PIL.Image, yaml, tqdm  # whatever these do is not ours
import src
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
    doors = sorted(path.stem for path in ROOT.glob("*.py"))
    assert {"train", "eval", "predict"} <= set(doors)
    zoo = [f"src.{p.stem}" for p in (ROOT / "src").glob("[a-z]*.py")]
    zoo += [f"src.model_utils.{p.stem}" for p in (ROOT / "src" / "model_utils").glob("[a-z]*.py")]
    own = [f"crnn_mindspore.{name}" for name in MODULES]
    import_in_a_fresh_process([*own, *doors, *zoo], True, tmp_path)


def test_all_but_mindspores_rooms_are_imported_where_it_is_not_installed(tmp_path: Path) -> None:
    own = [f"crnn_mindspore.{name}" for name in MODULES if room_of(name) not in NEED_MINDSPORE]
    import_in_a_fresh_process([*own, "train", "eval", "eval_onnx", "export", "predict"], False, tmp_path)


# Written when a process ends: the modules whose file was loaded under a second name, the program's included.
TWICE = """
import atexit, collections, json, os, sys, threading
def report():
    names = collections.defaultdict(set)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        # Python itself calls the program of a started process __mp_main__ too.
        if file and file.startswith(os.environ["CHECKED"]) and name != "__mp_main__":
            names[os.path.realpath(file)].add(name)
    twice = {file: sorted(found) for file, found in names.items() if len(found) > 1}
    path = os.path.join(os.environ["REPORTS"], f"{os.getpid()}")
    with open(path, "w") as out:
        json.dump([len(names), twice], out)
    os.rename(path, path + ".json")
atexit.register(report)
"""


@pytest.mark.parametrize(
    "command",
    [
        ["predict.py", "missing.png"],
        ["-m", "src", "read", "missing.png"],
        ["src/__main__.py", "check", "--train_dataset=folder", "--train_dataset_path=missing"],
        ["eval_onnx.py", "--help"],
        # Starts processes that render.
        ["-m", "src", "render", "--output_dir=OUT", "--num_train=80", "--num_test=1", "--num_workers=2"],
        ["-c", "import src.dataset, src.metric, src.model_utils.config, train, eval"],
    ],
    ids=" ".join,
)
def test_no_module_is_loaded_under_two_names(command: list[str], tmp_path: Path) -> None:
    for name in ("site", "reports"):
        (tmp_path / name).mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(TWICE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "REPORTS": str(tmp_path / "reports")}
    environment["CHECKED"] = str(ROOT / "src")
    arguments = [part.replace("OUT", str(tmp_path / "out")) for part in command]
    subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, timeout=120, check=False
    )
    reports = [json.loads(path.read_text()) for path in (tmp_path / "reports").glob("*.json")]
    assert reports
    assert max(count for count, _ in reports) > 3
    assert [twice for _, twice in reports if twice] == []


# --- what the pages say of it ---


def folders() -> set[str]:
    """Every folder that holds files of the project."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")  # as in an image
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip("not a git checkout")  # an unpacked archive: what belongs to it is not known
    files = [name for name in result.stdout.split("\0") if name and (ROOT / name).is_file()]
    return {str(Path(name).parent) for name in files} - {"."}


def test_the_layout_page_has_a_line_for_every_folder() -> None:
    text = (ROOT / "docs" / "layout.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| `([^`]+)/` \| (.+) \|$", text, flags=re.MULTILINE)
    named = [name for name, _ in lines]
    assert len(named) == len(set(named)), "named twice"
    assert all(len(what) > 8 for _, what in lines)
    found = folders()
    assert not sorted(found - set(named)), "folders without a line"
    assert not sorted(set(named) - found - {str(Path(f).parent) for f in found}), "lines without a folder"


@pytest.mark.parametrize("name", ["README.md", "README_CN.md"])
def test_the_readmes_state_the_two_commands(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for command in ("bash scripts/run_demo.sh", "bash scripts/run_tests.sh"):
        assert command in text
        assert (ROOT / command.removeprefix("bash ")).is_file()


def test_continuous_integration_calls_the_readmes_test_command() -> None:
    assert "bash scripts/run_tests.sh" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
