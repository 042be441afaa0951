"""Stand-ins that several end-to-end tests share: for what a launcher starts, and for jobs of ModelArts."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from conftest import WORDS, write_folder

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "run_distribute_train.sh"
TRAIN = str(ROOT / "train.py")

# Records, and does what the test says; the launcher itself runs as it is.
STAND_IN = f"""#!{sys.executable}
import json, os, sys, time
name = os.path.basename(sys.argv[0])
if name == "python" and "launch" in sys.argv[1:4]:
    os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])
if name == "nvidia-smi":
    print("GPU 0: NVIDIA V100 (UUID: GPU-a)\\nGPU 1: NVIDIA V100 (UUID: GPU-b)")
    sys.exit(0)
record = {{"name": name, "arguments": sys.argv[1:], "environment": dict(os.environ)}}
path = os.path.join(os.environ["RECORDS"], f"{{os.getpid()}}.json")
with open(path + ".tmp", "w") as file:
    json.dump(record, file)
os.rename(path + ".tmp", path)
sys.exit(int(os.environ.get("STATUS", "0")))
"""


class Launch:
    """Runs the script in a folder of its own, all it starts being stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a folder"
        self.data, self.records = self.folder / "my words", folder / "records"
        programs = folder / "programs"
        for made in (self.data, self.records, programs):
            made.mkdir(parents=True)
        for name in ("python", "msrun", "mpirun", "nvidia-smi"):
            (programs / name).write_text(STAND_IN)
            (programs / name).chmod(0o755)
        own = ("RANK", "DEVICE", "WORKER", "LOCAL_W", "MASTER", "NODE", "SERVER", "LAUNCHER", "CUDA", "EXTRA")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        self.environment = {
            **kept,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHON": "python",
            "RECORDS": str(self.records),
        }

    def __call__(
        self, *arguments: object, **variables: str
    ) -> tuple[subprocess.CompletedProcess[str], list[dict]]:
        result = subprocess.run(
            ["bash", str(SCRIPT), "synth", str(self.data), *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        records = [json.loads(path.read_text()) for path in self.records.glob("*.json")]
        for path in self.records.iterdir():
            path.unlink()
        return result, records

    def rank_table(self, servers: int, devices: int) -> Path:
        listed = [
            {
                "server_id": f"198.51.100.{s}",
                "device": [
                    {"device_id": str(d), "device_ip": f"10.{s}.0.{d}", "rank_id": str(s * devices + d)}
                    for d in range(devices)
                ],
                "host_nic_ip": "reserve",
            }
            for s in range(servers)
        ]
        path = self.folder / "rank table.json"
        table = {"version": "1.0", "server_count": str(servers), "server_list": listed, "status": "completed"}
        path.write_text(json.dumps(table))
        return path

    def train_options(self, platform: str, checkpoint: object = "") -> list[str]:
        return [
            "--train_dataset=synth",
            f"--train_dataset_path={self.data}",
            f"--device_target={platform}",
            "--run_distribute=True",
            f"--resume_ckpt={checkpoint}",
            "--save_checkpoint_path=./train_parallel/ckpt",
            "--output_dir=./train_parallel",
        ]

    def checkpoint(self) -> Path:
        path = self.folder / "my model.ckpt"
        path.touch()
        return path


class Jobs:
    """Jobs with object storage in a folder; each starts on an empty machine."""

    def __init__(self, root: Path) -> None:
        self.root, self.bucket, self.count = root, root / "storage" / "bucket", 0
        self.environment = {
            **{k: v for k, v in os.environ.items() if k not in ("RANK_ID", "RANK_SIZE", "DEVICE_ID")},
            "PYTHONPATH": f"{ROOT / 'tests' / 'fake_moxing'}",
            "MOXING_ROOT": str(root / "storage"),
            "MOXING_LOG": str(root / "calls"),
        }
        write_folder(self.bucket / "words", WORDS)

    def start(self, program: str, *options: str, before: Sequence[str] = ()) -> subprocess.Popen[str]:
        self.count += 1
        cache = self.root / f"cache{self.count}"
        cache.mkdir()
        folders = [f"--{name}={cache / name}" for name in ("data_path", "output_path", "load_path")]
        fixed = ["--enable_modelarts=True", "--data_url=obs://bucket/words", "--train_url=obs://bucket/out"]
        command = [sys.executable, "-u", str(ROOT / program), *fixed, *folders, "--device_target=CPU"]
        return subprocess.Popen(
            [*before, *command, "--init_method=tcp://job:6666", *options],
            cwd=cache,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
