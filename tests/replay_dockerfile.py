"""Carries out the steps of the Dockerfile in a bare system tree, for machines that run no Docker engine.

    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm TREE
    python tests/replay_dockerfile.py --base TREE --work_dir WORK --target server

Must run as root. Every stage becomes a folder WORK/STAGE, a copy of TREE, which stands for the stage's base
image. RUN is carried out by chroot, COPY heeds .dockerignore; the other instructions are kept in mind where a
later step needs them. `--run COMMAND` then runs a command as a container of the image would. Knows what this
Dockerfile uses, not all of Docker.
"""

import argparse
import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # that Docker starts with


@dataclass
class Stage:
    """One FROM of a Dockerfile: its name and its instructions, as (name, arguments)."""

    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Replays the stages that the target needs; the status of `--run`, else 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="bare system tree")
    parser.add_argument("--work_dir", type=Path, required=True, help="where the stages' trees are made")
    parser.add_argument("--target", default="train")
    parser.add_argument("--context", type=Path, default=ROOT, help="folder with the Dockerfile")
    parser.add_argument("--run", help="shell command to run in the finished image")
    parser.add_argument(
        "--host_files",
        nargs="*",
        default=["/etc/resolv.conf"],
        help="files of this machine that the tree needs to reach the network",
    )
    args = parser.parse_args(argv)
    stages = parse((args.context / "Dockerfile").read_text(encoding="utf-8"))
    replay = Replay(args.base, args.work_dir, args.context, args.host_files)
    for stage in needed(stages, args.target):
        if (args.work_dir / f"{stage.name}.done").exists():
            replay.remember(stage)
        else:
            replay.build(stage)
    if args.run:
        return replay.chroot(args.target, ["/bin/sh", "-c", args.run])
    return 0


def parse(text: str) -> list[Stage]:
    """The stages in order; what precedes the first FROM is left out.

    Args:
        text: Of a Dockerfile, without here-documents.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n", "", "\n".join(lines)).splitlines():
        name, arguments = line.split(None, 1)
        if name == "FROM":
            words = arguments.split()
            stages.append(Stage(words[2] if len(words) == 3 else str(len(stages))))
        elif stages:
            stages[-1].steps.append((name, arguments.strip()))
    return stages


def needed(stages: Sequence[Stage], target: str) -> list[Stage]:
    """The target and the stages that it copies from, these first."""
    by_name = {stage.name: stage for stage in stages}
    sources = [
        match[1]
        for name, arguments in by_name[target].steps
        if name == "COPY" and (match := re.match(r"--from=(\S+)", arguments))
    ]
    return [stage for source in sources for stage in needed(stages, source)] + [by_name[target]]


def is_ignored(path: str, patterns: Sequence[str]) -> bool:
    """Whether .dockerignore leaves a file out of the context; the last pattern that matches decides.

    Source: https://docs.docker.com/build/concepts/context/#dockerignore-files

    Args:
        path: Relative to the context, with slashes.
        patterns: The file's lines.
    """
    parts = path.split("/")
    prefixes = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    ignored = False
    for line in patterns:
        pattern = line.strip().removeprefix("!")
        if pattern and not line.startswith("#") and any(_matches(p, pattern) for p in prefixes):
            ignored = not line.startswith("!")
    return ignored


def _matches(path: str, pattern: str) -> bool:
    """A star stands for anything but a slash, `**/` for any folders."""
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(path.rsplit("/", 1)[-1], pattern[3:])
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


def context_files(context: Path) -> Iterator[str]:
    """The files that `docker build` would see, relative to the context."""
    patterns = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for folder, folders, names in os.walk(context):
        # Whole folders that are ignored are not walked: a virtual environment has 50,000 files.
        here = Path(folder).relative_to(context)
        folders[:] = [f for f in folders if not is_ignored((here / f).as_posix(), patterns)]
        for name in names:
            path = (here / name).as_posix()
            if not is_ignored(path, patterns):
                yield path


class Replay:
    """Trees of stages, and what their instructions say of users, folders and variables.

    Args:
        base: Bare system tree.
        work_dir: Where the trees are made.
        context: Folder with the Dockerfile.
        host_files: Copied into every tree.
    """

    def __init__(self, base: Path, work_dir: Path, context: Path, host_files: Sequence[str]) -> None:
        self.base = base
        self.work_dir = work_dir
        self.context = context
        self.host_files = host_files
        self.variables: dict[str, dict[str, str]] = {}
        self.folders: dict[str, str] = {}
        self.users: dict[str, str] = {}

    def build(self, stage: Stage) -> None:
        """Makes the tree of a stage and carries out its steps."""
        tree = self.work_dir / stage.name
        tree.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.base), str(tree)], check=True)
        for file in self.host_files:
            (tree / file.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tree / file.lstrip("/"))
        self._carry_out(stage, changes_tree=True)
        (self.work_dir / f"{stage.name}.done").touch()

    def remember(self, stage: Stage) -> None:
        """Takes in what the steps of a stage say whose tree is there already."""
        self._carry_out(stage, changes_tree=False)

    def chroot(self, stage: str, command: Sequence[str]) -> int:
        """Runs a command in a stage's tree, as its user, in its folder; returns the exit status."""
        tree = self.work_dir / stage
        user = self.users.get(stage, "0")
        enter = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$@"'
        go = 'cd "$0" && exec "$@"'
        chroot = [f"--userspec={user}:{user}", str(tree), "/bin/sh", "-c", go]
        home = {"HOME": "/root" if user == "0" else "/home/crnn"}
        environment = {
            "PATH": _PATH,
            **home,
            **self.variables[stage],
        }
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", enter, str(tree), *chroot, self.folders[stage], *command],
            env=environment,
            check=False,
        ).returncode

    def _carry_out(self, stage: Stage, changes_tree: bool) -> None:
        shell = ["/bin/sh", "-c"]
        self.variables[stage.name], self.folders[stage.name] = {}, "/"
        for name, arguments in stage.steps:
            text = self._expanded(stage.name, arguments)
            if name in ("ARG", "ENV"):
                pairs = (word.partition("=") for word in shlex.split(text))
                self.variables[stage.name].update({key: value for key, _, value in pairs})
            elif name == "WORKDIR":
                self.folders[stage.name] = text
                (self.work_dir / stage.name / text.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif name == "USER":
                self.users[stage.name] = text
            elif name == "SHELL":
                shell = json.loads(arguments)
            elif name == "COPY" and changes_tree:
                self._copy(stage.name, shlex.split(text))
            elif name == "RUN" and changes_tree:
                print(f"{stage.name}: RUN {arguments}", flush=True)
                if status := self.chroot(stage.name, [*shell, arguments]):
                    sys.exit(f"error: ended with status {status}: RUN {arguments}")

    def _expanded(self, stage: str, text: str) -> str:
        variables = {"PATH": _PATH, **self.variables[stage]}
        return re.sub(r"\$\{(\w+)\}", lambda match: variables.get(match[1], match[0]), text)

    def _copy(self, stage: str, words: Sequence[str]) -> None:
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
        *sources, target = [word for word in words if not word.startswith("--")]
        folder = self.work_dir / stage / self.folders[stage].lstrip("/") / target
        if "from" in options:
            (source,) = sources
            subprocess.run(
                ["cp", "-a", f"{self.work_dir / options['from']}{source}", str(folder)], check=True
            )
            return
        files = list(context_files(self.context))
        for source in sources:
            is_folder = (self.context / source).is_dir()
            taken = [
                f for f in files if source == "." or fnmatch.fnmatch(f, source) or f.startswith(f"{source}/")
            ]
            if not taken:
                sys.exit(f"error: COPY {source}: no such file in the context")
            for file in taken:
                inside = Path(file).relative_to(source) if is_folder else Path(file).name
                (folder / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.context / file, folder / inside)
                if owner := options.get("chown"):
                    self._give_away(folder, folder / inside, self._user_id(stage, owner))

    def _user_id(self, stage: str, name: str) -> int:
        entries = (self.work_dir / stage / "etc/passwd").read_text(encoding="utf-8").splitlines()
        return next(int(entry.split(":")[2]) for entry in entries if entry.startswith(f"{name}:"))

    @staticmethod
    def _give_away(folder: Path, file: Path, user_id: int) -> None:
        """Gives a file and the folders above it, up to `folder`, to a user and the group of that number."""
        while file != folder:
            os.chown(file, user_id, user_id)
            file = file.parent


if __name__ == "__main__":
    sys.exit(main())
