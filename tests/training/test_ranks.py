"""What processes tell each other: alone, and two of them with MindSpore's own communication."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crnn_mindspore.training.ranks import Ranks

ROOT = Path(__file__).resolve().parents[2]


def test_alone_everything_is_ones_own() -> None:
    ranks = Ranks()
    assert ranks.after_update(1.5, 2.0) == [1.5, 2.0]
    assert [ranks.any(False), ranks.any(True)] == [False, True]
    ranks.wait()
    ranks.check_same({"step": 3})
    forward = np.negative
    assert ranks.share_forward(forward) is forward
    answers: list[None] = []
    assert ranks.run_on_main(lambda answer: (answers.append(answer()), "done")[1]) == "done"
    assert answers == [None]


# Run by two processes: everything once, what came of it as JSON.
PROGRAM = f"""
import json, sys, time
sys.path.insert(0, {str(ROOT)!r})
import src
from crnn_mindspore.engines.mindspore.runtime import initialize
runtime = initialize("CPU", run_distribute=True)
import mindspore as ms
import numpy as np
from crnn_mindspore.errors import UserError
from crnn_mindspore.training.ranks import Ranks

rank = runtime.rank
first = ms.Parameter(ms.Tensor(np.array([1.0, 2.0]) + 10 * rank, ms.float32), name="first")
second = ms.Parameter(ms.Tensor(np.full((2, 1), float(rank)), ms.float32), name="second")
ranks = Ranks(rank, runtime.world_size, [first, second])
found = {{"rank": rank, "world_size": runtime.world_size}}
found["means"] = ranks.after_update(4.0 + rank, -1.0)
found["statistics"] = [first.asnumpy().tolist(), second.asnumpy().tolist()]
found["any"] = [ranks.any(flag) for flag in (False, rank == 1, True)]

def check(value):
    try:
        ranks.check_same({{"seed": 5, "number of steps": value}})
    except UserError as error:
        return str(error)

large = (1 << 47) + 12345
found["same"] = [check(large), check(large + rank)]

sizes = []
def forward(images):  # (N,3,1,2) -> (T,N,C): 2 steps, 3 classes
    sizes.append(len(images))
    return np.stack([images[:, :, 0, t] for t in range(2)])

shared = ranks.share_forward(forward)
found["shared"] = []
for count in (5, 2, 1):
    images = np.arange(count * 6, dtype=np.float32).reshape(count, 3, 1, 2)
    found["shared"].append(bool(np.array_equal(shared(images), images[:, :, 0].transpose(2, 0, 1))))
found["sizes"] = sizes

def work(answer):
    for _ in range(3):
        time.sleep(0.3)
        answer()
    return "done"

found["main"] = ranks.run_on_main(work)
ranks.wait()
json.dump(found, open(f"found_{{rank}}.json", "w"))
"""


@pytest.mark.slow
def test_two_processes_agree(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    launch = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{LAUNCH}"]
    result = subprocess.run(
        launch, cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result
    found = [json.loads((tmp_path / f"found_{rank}.json").read_text()) for rank in range(2)]
    assert [f.pop("rank") for f in found] == [0, 1]
    assert [f.pop("main") for f in found] == ["done", None]
    # Of 5, 2 and 1 images; the second process has none of one, and computes it for its shape.
    assert [f.pop("sizes") for f in found] == [[3, 1, 1], [2, 1, 1]]
    large = (1 << 47) + 12345
    message = (
        f"rank 1 has another number of steps than rank 0: {large + 1}, not {large}; all processes must see "
        "the same data, options and checkpoints"
    )
    expected = {
        "world_size": 2,
        "means": [4.5, -1.0],
        "statistics": [[6.0, 7.0], [[0.5], [0.5]]],
        "any": [False, True, True],
        "same": [None, message],
        "shared": [True, True, True],
    }
    assert found == [expected, expected]


LAUNCH = """
import os
from pathlib import Path
import src
from crnn_mindspore.launch.plan import Job, plan_msrun, read_cluster
from crnn_mindspore.launch.supervisor import Supervisor
job = Job(sys.executable, ("program.py",), (), Path("."), os.environ)
sys.exit(Supervisor(plan_msrun(job, read_cluster("CPU", {})), ("program.py",)).run())
"""
