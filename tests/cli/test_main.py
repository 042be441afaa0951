"""The one command: its subcommands, what each lists, and what it says to a mistake."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run, assert_refused

from crnn_mindspore.cli import main as command
from crnn_mindspore.options import base
from crnn_mindspore.options.commands import COMMANDS as OPTIONS
from crnn_mindspore.options.parser import option_name
from crnn_mindspore.tasks.finding import KINDS
from crnn_mindspore.tasks.positions.rendering import _RENDERERS as RENDERERS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "crnn_mindspore"


def test_every_subcommand_has_its_options() -> None:
    assert OPTIONS.keys() == command.COMMANDS.keys()


@pytest.mark.parametrize("name", OPTIONS)
def test_help_lists_the_options_of_the_subcommand_and_no_others(run_program: Run, name: str) -> None:
    outcome = run_program(command.main, *name.split(), "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"usage: crnn {name} ")
    listed = set(re.findall(r"^  (?:-\w \S+, )?--(\w+)", outcome.out, flags=re.MULTILINE))
    kind = OPTIONS[name]
    named = {option_name(field, kind) for field in kind.model_fields}
    positional = {f for f, field in kind.model_fields.items() if base.argument_of(field).is_positional}
    assert listed - {"config_path"} == named - positional


MADE_OF_OPTIONS = ("Decoding", "AscendChoices")  # classes whose fields are options of these names
# Modules that take options by their names as text.
BY_NAME = (
    "modelarts.job",
    "training.checkpoints.resume_policy",
    "training.settled_options",
    "artifacts.agreement",
    "tasks.ctc.kind",
)


# Options that take effect when they are loaded, whatever the command.
READ_ON_LOADING = {"allow_outside"}


def names_read_by(module: str, seen: set[str]) -> set[str]:
    """Options that are read in a module of the package and in those it imports."""
    if module in seen:
        return set()
    seen.add(module)
    if module == "tasks.finding":  # imports kinds of output by their names
        doors = ("kind", "learning.learner")
        return set().union(*(names_read_by(f"tasks.{kind}.{door}", seen) for kind in KINDS for door in doors))
    path = PACKAGE / (module.replace(".", "/") + ".py")
    if module == "tasks.positions.rendering":  # imports renderers by their names
        names = [name.removeprefix("crnn_mindspore.") for name in RENDERERS.values()]
        return set().union(*(names_read_by(name, seen) for name in names))
    if not path.is_file() or module.startswith("options."):
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in (
            "options",
            "self.options",
            "config",
        ):
            found.add(node.attr)
        elif module in BY_NAME and isinstance(node, ast.Constant):
            found.add(str(node.value))
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("crnn_mindspore."):
            base_name = str(node.module).removeprefix("crnn_mindspore.")
            for name in (base_name, *(f"{base_name}.{alias.name}" for alias in node.names)):
                found |= names_read_by(name, seen)
        elif isinstance(node, ast.ClassDef) and node.name in MADE_OF_OPTIONS:
            found |= {ast.unparse(line.target) for line in node.body if isinstance(line, ast.AnnAssign)}
    return found


@pytest.mark.parametrize("name", OPTIONS)
def test_a_subcommand_reads_every_option_it_lists(name: str) -> None:
    module = command.COMMANDS[name][0]
    read = names_read_by(f"cli.{module}", set()) | READ_ON_LOADING
    assert not sorted(OPTIONS[name].model_fields.keys() - read)


def test_an_option_nobody_reads_would_be_seen() -> None:
    loading = (PACKAGE / "options" / "load.py").read_text(encoding="utf-8")
    assert all(f'"{name}"' in loading for name in READ_ON_LOADING)
    assert "no_such_option" not in names_read_by("cli.train", set())
    assert "beam_width" not in names_read_by("cli.train", {"text.decoding"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["raed"], "unknown subcommand 'raed', did you mean 'read'?"),
        (["convert", "iiit"], "unknown subcommand 'convert iiit', did you mean 'convert iiit5k'?"),
        (["ofline"], "unknown subcommand 'ofline', did you mean 'offline'?"),
        (["eval", "--eval_datset=svt"], "unknown option 'eval_datset', did you mean 'eval_dataset'?"),
        (["serve", "--learning_rate=1"], "option 'learning_rate' is not one of this command"),
        (
            ["render", "--num_train=many", "--num_test=1", "--output_dir=x"],
            "num_train is 'many', must be a whole",
        ),
    ],
)
def test_a_mistyped_name_is_refused_and_the_nearest_named(
    run_program: Run, arguments: list[str], message: str
) -> None:
    assert_refused(run_program(command.main, *arguments), message)


@pytest.mark.parametrize("arguments", [[], ["convert"], ["offline"]])
def test_without_a_subcommand_the_usage_is_printed(run_program: Run, arguments: list[str]) -> None:
    outcome = run_program(command.main, *arguments)
    assert outcome.status == 2
    assert "usage: crnn " in outcome.out + outcome.err


def test_the_version_names_the_commit_of_a_checkout(run_program: Run) -> None:
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    result = subprocess.run(git, capture_output=True, text=True, check=False)
    outcome = run_program(command.main, "--version")
    assert outcome.status == 0
    assert outcome.out.startswith("crnn ")
    if result.returncode == 0:
        assert f"(commit {result.stdout.strip()[:7]}" in outcome.out


def test_the_package_gives_the_api_when_asked_and_not_before() -> None:
    program = (
        "import sys, src, crnn_mindspore\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "from crnn_mindspore import Decoding, Recognition, Recognizer\n"
        "print(Recognizer.load.__name__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.stdout, result.stderr) == ("load\n", "")
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        importlib.import_module("crnn_mindspore").Recogniser  # noqa: B018
