"""`crnn SUBCOMMAND`: finds the subcommand and hands over."""

import importlib
import sys
from collections.abc import Sequence

from crnn_mindspore.cli.command import EXIT_USER_ERROR, run_command
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.shipped import version
from crnn_mindspore.signals import deferred
from crnn_mindspore.streams import steady_streams

# Name -> module of this folder, function in it, what it does. Imported when called.
COMMANDS = {
    "read": ("read", "main", "read the text in images"),
    "train": ("train", "main", "train a recogniser"),
    "eval": ("eval", "main", "measure a model on a data set"),
    "export": ("export", "main", "write a checkpoint as MINDIR, ONNX, AIR or a small checkpoint"),
    "prune": ("prune", "main", "cut channels out of a network: smaller and faster"),
    "report": ("report", "main", "an HTML page on what a model reads wrong, and why"),
    "check": ("check", "main", "look through a data set before training"),
    "parity": ("parity", "main", "compare exported models with their checkpoint"),
    "render": ("render", "main", "make a data set of rendered words"),
    "convert ic03": ("convert", "ic03", "ICDAR 2003, as downloaded, to word images or LMDB"),
    "convert ic13": ("convert", "ic13", "ICDAR 2013"),
    "convert ic15": ("convert", "ic15", "ICDAR 2015"),
    "convert iiit5k": ("convert", "iiit5k", "IIIT 5K-Word"),
    "convert svt": ("convert", "svt", "Street View Text"),
    "convert lmdb": ("convert", "lmdb", "any data set to LMDB, and LMDB to images"),
    "convert weights": (
        "convert_weights",
        "main",
        "weights of the model zoo or of PyTorch to a checkpoint that describes itself",
    ),
    "serve": ("serve", "main", "read images over HTTP, with a page to try it"),
    "doctor": ("doctor", "main", "what of this machine does not fit, and what mends it"),
    "launch": ("launch", "main", "train on several devices"),
    "rank-table": ("rank_table", "main", "make the rank table of Ascend servers"),
    "offline preprocess": ("offline", "preprocess", "Ascend 310, step 1: list the images"),
    "offline infer": ("offline", "infer_images", "step 2 on MindSpore itself"),
    "offline postprocess": ("offline", "postprocess", "step 3: the accuracy from the result files"),
}
GROUPS = frozenset(name.split()[0] for name in COMMANDS if " " in name)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a subcommand; returns its exit status, 2 if there is none of this name."""
    steady_streams()  # before anything is imported that opens files
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        return run_command(lambda: _say(help_text(), 0 if arguments else EXIT_USER_ERROR))
    if arguments[0] in ("-V", "--version"):
        return run_command(lambda: _say(f"crnn {version()}"))
    words = 2 if arguments[0] in GROUPS else 1
    name = " ".join(arguments[:words])
    if name not in COMMANDS:
        return _refuse(name, arguments)
    module, function, _ = COMMANDS[name]
    with deferred():  # in the middle of an extension's import a Ctrl-C becomes an ImportError
        command = getattr(importlib.import_module(f"crnn_mindspore.cli.{module}"), function)
    status: int = command(arguments[words:], f"crnn {name}")
    return status


def help_text(group: str = "") -> str:
    """The subcommands, a line each; those of a group, if one is named."""
    shown = {name: what for name, (*_, what) in COMMANDS.items() if not group or name.split()[0] == group}
    width = max(map(len, shown))
    lines = [f"  {name:<{width}}  {what}" for name, what in shown.items()]
    usage = f"usage: crnn {group + ' ' if group else ''}SUBCOMMAND [--OPTION VALUE ...]"
    return "\n".join([usage, "", *lines, "", "crnn SUBCOMMAND --help lists the options of one; --version."])


def _say(text: str, status: int = 0) -> int:
    print(text)
    return status


def _refuse(name: str, arguments: Sequence[str]) -> int:
    group = arguments[0] if arguments[0] in GROUPS else ""
    if group and arguments[1:2] in (["-h"], ["--help"]):
        return run_command(lambda: _say(help_text(group)))
    known = [command for command in COMMANDS if not group or command.split()[0] == group]
    if group and len(arguments) == 1:
        print(help_text(group), file=sys.stderr)
        return EXIT_USER_ERROR
    print(f"error: {unknown_message('subcommand', name, [*known, *GROUPS])}", file=sys.stderr)
    print("crnn --help lists them", file=sys.stderr)
    return EXIT_USER_ERROR
