"""The Ascend profile: what follows from options, chip and start; what MindSpore is told; its graphs."""

import os
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from conftest import TinyModel
from pretended_ascend.pretended import install, shape_of

from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.engines.choices import AscendChoices
from crnn_mindspore.engines.mindspore import runtime as runtime_module
from crnn_mindspore.engines.mindspore.ascend import INACTIVE, Profile, resolve
from crnn_mindspore.engines.mindspore.network_backend import MindSporeBackend
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.options.common import AscendOptions

Records = list[tuple[str, Any]]

FIRST, SECOND = "ascend910", "ascend910b"
RANK_TABLE = {"RANK_TABLE_FILE": "/job/rank_table.json"}
OPEN = SimpleNamespace(ctc_operator="auto", overflow_check="auto", loss_scale="auto")


@pytest.fixture
def chip() -> str:
    return SECOND


@pytest.fixture
def ascend(monkeypatch: pytest.MonkeyPatch, chip: str, tmp_path: Path) -> Records:
    """Pretends an Ascend; what MindSpore is told."""
    records: Records = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("RANK_TABLE_FILE", raising=False)
    install(ms, lambda name, what: records.append((name, what)), chip, monkeypatch.setattr)
    return records


def told(records: Records, name: str) -> list[Any]:
    return [what for called, what in records if called == name]


def test_the_choices_are_the_options_of_that_name() -> None:
    assert [field.name for field in fields(AscendChoices)] == list(AscendOptions.model_fields)


@pytest.mark.parametrize(
    ("soc", "environment", "level", "precision"),
    [
        (FIRST, {}, "O2", "allow_fp32_to_fp16"),
        (SECOND, {}, "O0", ""),
        ("ascend910_93", {}, "O0", ""),
        (SECOND, RANK_TABLE, "O2", ""),
        (SECOND, {**RANK_TABLE, "MS_ROLE": "MS_WORKER"}, "O0", ""),  # started by msrun all the same
        ("", {}, "", ""),
    ],
)
def test_the_level_is_mindspores_own_choice_said_aloud(
    soc: str, environment: dict[str, str], level: str, precision: str
) -> None:
    profile = resolve(AscendChoices(), "Ascend", soc, environment, "/caches")
    expected = Profile(True, level, precision, True, "operator", "/caches/crnn_mindspore/graphs")
    assert profile == expected


@pytest.mark.parametrize("device", ["CPU", "GPU"])
def test_elsewhere_nothing_is_changed(device: str) -> None:
    assert resolve(AscendChoices(), device, "", RANK_TABLE) == INACTIVE
    assert INACTIVE.training_options(OPEN) == {
        "ctc_operator": "ctc_loss",
        "overflow_check": "norm",
        "loss_scale": "0.0",
        "lstm_kernel": "operator",
    }


@pytest.mark.parametrize(
    ("choice", "undone"),
    [
        ({"ascend_profile": "off"}, INACTIVE),
        ({"jit_level": "O0"}, {"jit_level": "O0"}),
        ({"precision_mode": "keep"}, {"precision_mode": ""}),
        ({"fixed_shapes": "never"}, {"has_fixed_shapes": False}),
        ({"lstm_kernel": "cells"}, {"lstm_kernel": "cells"}),
        ({"compile_cache": "none"}, {"compile_cache": ""}),
        ({"compile_cache": "/mine"}, {"compile_cache": "/mine"}),
    ],
)
def test_each_setting_can_be_undone_alone(choice: dict[str, str], undone: Any) -> None:
    usual = resolve(AscendChoices(), "Ascend", FIRST, {}, "/caches")
    found = resolve(AscendChoices(**choice), "Ascend", FIRST, {}, "/caches")
    if isinstance(undone, Profile):
        assert found == undone
        return
    for field in fields(Profile):
        expected = undone.get(field.name, getattr(usual, field.name))
        assert getattr(found, field.name) == expected
    assert found != usual


def test_a_training_takes_what_the_profile_decides_where_it_is_left_open() -> None:
    profile = Profile(is_active=True)
    assert profile.training_options(OPEN) == {
        "ctc_operator": "CTCLoss",
        "overflow_check": "status",
        "loss_scale": "512.0",
        "lstm_kernel": "operator",
    }
    chosen = SimpleNamespace(ctc_operator="ctc_loss", overflow_check="norm", loss_scale="0")
    assert profile.training_options(chosen) == {"lstm_kernel": "operator"}


@pytest.mark.parametrize("chip", [FIRST, SECOND])
def test_mindspore_is_told_before_the_device_is_taken(ascend: Records, chip: str) -> None:
    found = initialize("auto", is_deterministic=True)
    level = "O2" if chip == FIRST else "O0"
    expected = [("set_context", {"mode": 0}), ("set_context", {"jit_config": {"jit_level": level}})]
    expected += [("precision_mode", "allow_fp32_to_fp16")] if chip == FIRST else []
    expected += [("set_deterministic", True), ("set_device", ["Ascend", 0])]
    assert ascend == expected
    assert found.profile.is_active


def test_bits_need_not_be_the_same_where_nothing_is_resumed(ascend: Records) -> None:
    initialize("auto")
    assert told(ascend, "set_deterministic") == []


def test_a_gpu_is_made_deterministic_too(ascend: Records) -> None:
    initialize("GPU", is_deterministic=True)
    assert [name for name, _ in ascend] == ["set_context", "set_deterministic", "set_device"]


def test_deterministic_comes_before_other_processes_are_joined(
    ascend: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(package: object) -> tuple[int, int]:
        ascend.append(("init", []))
        return 1, 2

    monkeypatch.setattr(runtime_module, "_join", join)
    initialize("Ascend", run_distribute=True, is_deterministic=True)
    assert [name for name, _ in ascend][-3:] == ["set_deterministic", "set_device", "init"]


def test_being_told_twice_is_no_failure(ascend: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(message: str) -> Any:
        def called(wanted: bool) -> None:
            raise RuntimeError(message)

        return called

    monkeypatch.setattr(
        ms, "set_deterministic", refuse("The 'mindspore.set_deterministic' can not be set repeatedly.")
    )
    assert initialize("Ascend", is_deterministic=True).device_target == "Ascend"
    monkeypatch.setattr(ms, "set_deterministic", refuse("no communication"))
    with pytest.raises(Exception, match="no communication"):
        initialize("Ascend", is_deterministic=True)


# --- one graph a shape ---


class Counted:
    """A network that remembers the shapes it was called with; its logits are the images' first pixels."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, images: ms.Tensor) -> ms.Tensor:
        self.shapes.append(images.shape)
        first = images.asnumpy()[:, 0, 0, :2]  # (N,2)
        return ms.Tensor(np.stack([first, first + 1, first + 2]))  # (3,N,2)


def image_batch(count: int, width: int = 8) -> np.ndarray:
    return np.random.default_rng(count).normal(0, 1, (count, 3, 2, width)).astype(np.float32)


def backend_of(tiny_models: dict[str, TinyModel], network: Any, **options: Any) -> MindSporeBackend:
    artifact = open_backend(str(tiny_models["V2"].onnx)).artifact
    return MindSporeBackend(network, artifact, "counted", Profile(True, has_fixed_shapes=True), **options)


@pytest.mark.parametrize(("size", "shapes"), [(4, {4}), (0, {5, 9})])
def test_batches_are_filled_up_and_what_is_real_is_read_back(
    tiny_models: dict[str, TinyModel], size: int, shapes: set[int]
) -> None:
    network = Counted()
    backend = backend_of(tiny_models, network, batch_size=size)
    for count in (5, 1, 9, 4):  # without a size the largest so far counts
        images = image_batch(count)
        expected = images[:, 0, 0, :2] + np.arange(3)[:, None, None]
        np.testing.assert_allclose(backend.forward(images), expected, atol=1e-6)
    assert {shape[0] for shape in network.shapes} == shapes


def test_each_width_has_one_graph(tiny_models: dict[str, TinyModel], log: list[str]) -> None:
    network = Counted()
    backend = backend_of(tiny_models, network, batch_size=4)
    for count, width in ((2, 8), (1, 16), (4, 8), (7, 16), (3, 24)):
        assert backend.forward(image_batch(count, width)).shape == (3, count, 2)
    assert set(network.shapes) == {(4, 3, 2, width) for width in (8, 16, 24)}
    said = [line for line in log if "compiling" in line]
    assert len(said) == 3
    assert all("takes minutes" in line for line in said)


# --- compiled graphs that are kept ---


@pytest.fixture
def kept(tmp_path: Path) -> Profile:
    return Profile(True, "O2", has_fixed_shapes=True, compile_cache=str(tmp_path / "graphs"))


def cache_of(profile: Profile, what: str = "training", **identity: object) -> str:
    """The folder in which MindSpore keeps a graph, "" for none."""
    with profile.compiling(what, identity):
        assert os.environ.get("MS_COMPILER_CACHE_ENABLE") == "1"
        return os.environ["MS_COMPILER_CACHE_PATH"]


def test_each_graph_has_a_folder_of_its_own(kept: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MS_COMPILER_CACHE_ENABLE", raising=False)
    monkeypatch.delenv("MS_COMPILER_CACHE_PATH", raising=False)
    usual = cache_of(kept, width=100)
    assert cache_of(kept, width=100) == usual
    others = [cache_of(kept, width=101), cache_of(kept, "evaluation", width=100)]
    others.append(cache_of(Profile(True, "O0", compile_cache=kept.compile_cache), width=100))
    assert len({usual, *others}) == 4
    assert "MS_COMPILER_CACHE_ENABLE" not in os.environ  # any other graph is compiled without
    assert "MS_COMPILER_CACHE_PATH" not in os.environ


def test_the_users_own_cache_comes_back(kept: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MS_COMPILER_CACHE_ENABLE", "0")
    monkeypatch.setenv("MS_COMPILER_CACHE_PATH", "/elsewhere")
    with ExitStack() as held, pytest.raises(ValueError, match="stop"):
        held.enter_context(kept.compiling("training", {}))
        raise ValueError("stop")
    assert os.environ["MS_COMPILER_CACHE_ENABLE"] == "0"
    assert os.environ["MS_COMPILER_CACHE_PATH"] == "/elsewhere"


@pytest.mark.parametrize("profile", [INACTIVE, Profile(True, "O0")])
def test_without_a_folder_nothing_is_kept(profile: Profile, log: list[str]) -> None:
    with profile.compiling("training", {}):
        assert os.environ.get("MS_COMPILER_CACHE_ENABLE") != "1"
    assert log == (["training: compiling at jit_level O0, takes minutes"] if profile.is_active else [])


def test_an_open_size_would_be_seen() -> None:
    assert shape_of(ms.Tensor(shape=[None, 3, 32, None], dtype=ms.float32)) == [None, 3, 32, None]
    assert shape_of(ms.Tensor(np.zeros((2, 3)))) == [2, 3]
    assert Preprocessing().width == 100
