"""The machinery of the benchmarks: engines in processes of their own, and the twin in PyTorch."""

import sys
from pathlib import Path

import numpy as np
import pytest
from reference import crnn_logits, random_weights

from benchmarks.engines import Engines, machine, markdown_table, paired_ratio

ENGINE = """
import argparse, sys
sys.path.insert(0, {root!r})
from benchmarks.engines import serve
parser = argparse.ArgumentParser()
parser.add_argument("--answer_fd", type=int)
calls = []
def work(amount):
    print("a library's message")
    calls.append(amount)
    return {{"seconds": amount * len(calls)}}
sys.exit(serve(parser.parse_args().answer_fd, {{"work": work}}))
"""


@pytest.fixture
def engine_file(tmp_path: Path) -> str:
    path = tmp_path / "engine.py"
    path.write_text(ENGINE.format(root=str(Path(__file__).resolve().parents[2])), encoding="utf-8")
    return str(path)


def test_engines_answer_in_turns_and_what_they_print_is_no_answer(engine_file: str) -> None:
    with Engines() as engines:
        folder = engines.folder
        engines.start("a", [engine_file], sys.executable, threads=1)
        engines.start("b", [engine_file], sys.executable, threads=1)
        assert engines.names == ["a", "b"]
        assert engines["b"].ask("work", amount=10) == {"seconds": 10}
        assert engines.in_turns(["a", "b"], "work", 2, amount=1) == {"a": [1, 2], "b": [2, 3]}
        assert folder.is_dir()
    assert not folder.exists()


def test_an_engine_that_ends_is_named(engine_file: str) -> None:
    with Engines() as engines, pytest.raises(SystemExit, match="broken ended with status 1"):
        engines.start("broken", [engine_file], sys.executable, threads=1)
        engines["broken"].ask("no such request")


def test_a_ratio_is_the_median_over_pairs() -> None:
    assert paired_ratio([2, 8, 3], [1, 2, 3]) == 2  # of 2, 4 and 1


def test_a_table_is_markdown() -> None:
    assert markdown_table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_the_machine_is_described() -> None:
    assert "cores" in machine()


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_the_twin_computes_the_same_and_gives_the_weights_back(version: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is for benchmarks only")
    from benchmarks.torch_twin import from_weights, to_weights

    weights = {
        n: np.float32(a) for n, a in random_weights(37, 8, [4, 8, 16, 16, 32, 32, 32], version).items()
    }
    network = from_weights(weights).eval()
    returned = to_weights(network)
    assert set(returned) == set(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(returned[name], array)
    images = np.random.default_rng(0).uniform(-1, 1, (3, 3, 32, 60)).astype(np.float32)
    with torch.inference_mode():
        found = network(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, crnn_logits(images, weights, version), atol=1e-4)
