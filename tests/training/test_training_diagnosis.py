"""What the trainer says of a series of updates, of numbers that are not finite, and of the self-check."""

import json
import math
from collections.abc import Callable, Generator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.checking.findings import Hint
from crnn_mindspore.data.loading.first_batches import FirstBatches
from crnn_mindspore.data.loading.loader import Batch
from crnn_mindspore.data.preprocess import Preprocessing, normalize
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.training.watching.diagnosis import Diagnosis, Update, learning_rate_hint
from crnn_mindspore.training.watching.finite_guard import FiniteGuard
from crnn_mindspore.training.watching.overfit import OverfitCheck

CHARACTERS = 6.0  # a word: guessing blindly costs 6 log(36) = 21.5


def feed(
    diagnosis: Diagnosis,
    steps: int,
    loss: Callable[[int], float] = lambda step: 1.0,
    unread: Callable[[int], float] = lambda step: 0.0,
    start: int = 0,
) -> list[str]:
    """Updates start + 1 to start + steps; the keys of all hints so far."""
    for step in range(start + 1, start + steps + 1):
        diagnosis.update(Update(step, loss(step), 0.02, unread(step), CHARACTERS))
    return [hint.key for hint in diagnosis.hints]


def healthy_loss(step: int) -> float:
    """Down to the plateau of blanks, on it until step 2500, then down to 0.5; noisy."""
    plateau = 20 + 50 * math.exp(-step / 20)
    learnt = 0.5 + 19.5 * math.exp(-max(0, step - 2500) / 3000)
    return min(plateau, learnt) * (1 + 0.3 * math.sin(step * step))


def test_a_healthy_training_gives_no_hint() -> None:
    diagnosis = Diagnosis()
    assert feed(diagnosis, 60_000, healthy_loss, lambda step: float(step < 2600)) == []
    diagnosis.end(60_000)
    assert diagnosis.hints == []


def test_a_learnt_network_may_stand_still_for_ever() -> None:
    assert feed(Diagnosis(), 30_000, lambda step: 2.0 + 0.5 * math.sin(step * step)) == []


def test_blank_outputs_for_the_allowed_updates_are_said_once(log: list[str]) -> None:
    diagnosis = Diagnosis(blank_steps=3000)
    assert feed(diagnosis, 2999, unread=lambda step: 1.0) == []
    assert feed(diagnosis, 5000, unread=lambda step: 1.0, start=2999) == ["all_blank"]
    (hint,) = diagnosis.hints
    assert hint.message.startswith("Step 3000: nothing is read of any image since 3,000 updates")
    for part in (
        "smaller --batch_size",
        "(now 0.02)",
        "--warmup_steps",
        "`crnn check`",
        "--overfit_batches=1",
    ):
        assert part in hint.advice
    assert log == [f"{hint.message} {hint.advice}"]


def test_a_reading_in_between_starts_the_count_anew() -> None:
    assert feed(Diagnosis(blank_steps=300), 2000, unread=lambda step: float(step % 300 != 0)) == []
    # A stray letter in one image of fifty is no reading.
    assert feed(Diagnosis(blank_steps=300), 300, unread=lambda step: 0.98) == ["all_blank"]


def test_a_training_that_ends_silent_is_told_that_it_was_short() -> None:
    diagnosis = Diagnosis()
    feed(diagnosis, 400, unread=lambda step: float(step > 50))
    diagnosis.end(400)
    (hint,) = diagnosis.hints
    assert hint.key == "all_blank"
    assert hint.message.startswith("The training ended at step 400, and in its last 350 updates nothing")
    reading = Diagnosis()
    feed(reading, 400, unread=lambda step: float(step < 390))
    reading.end(400)
    assert reading.hints == []


def test_a_high_loss_that_does_not_fall_is_said() -> None:
    diagnosis = Diagnosis(flat_steps=5000)
    assert feed(diagnosis, 4999, lambda step: 15.0 + math.sin(step * step)) == []
    assert feed(diagnosis, 1, lambda step: 15.0, start=4999) == ["flat_loss"]
    # 15 for words of 6 letters.
    assert "has not fallen for 5,000 updates and is 15, 2.5 a character" in diagnosis.hints[0].message


@pytest.mark.parametrize(
    ("loss", "unread"),
    [
        (lambda step: 15.0 - step / 10_000, 0.0),  # falls by 3 % in 5000 updates
        (lambda step: 10.0, 0.0),  # below half of blind guessing, 10.75
        (lambda step: 20.0, 1.0),  # silent: the other hint's business
    ],
    ids=["falling", "good", "silent"],
)
def test_a_flat_loss_is_not_said_of(loss: Callable[[int], float], unread: float) -> None:
    assert feed(Diagnosis(blank_steps=0), 12_000, loss, lambda step: unread) == []


def test_what_is_switched_off_is_not_said() -> None:
    diagnosis = Diagnosis(blank_steps=0, flat_steps=0)
    assert feed(diagnosis, 20_000, lambda step: 20.0, lambda step: float(step < 10_000)) == []


def test_a_loss_that_rises_is_said() -> None:
    exploded = Diagnosis()
    assert feed(exploded, 100, lambda step: 70.0 if step == 1 else 1e5) == ["rising_loss"]
    assert "risen to 9.9e+04, the mean of 100 updates; it was 70." in exploded.hints[0].message
    later = Diagnosis()
    # From 2 on three times as much and one a letter, 3 * 2 + 6 = 12, are allowed.
    assert feed(later, 3000, lambda step: 2.0 if step < 1000 else 11.9) == []
    assert feed(later, 200, lambda step: 12.2, start=3000) == ["rising_loss"]


def test_a_short_spike_is_not_said() -> None:
    assert feed(Diagnosis(), 3000, lambda step: 500.0 if step == 1550 else 4.0) == []


def test_what_is_known_before_comes_first_and_a_key_once(log: list[str]) -> None:
    known = [Hint("learning_rate", "High.", "Lower it."), Hint("learning_rate", "Again.", "")]
    diagnosis = Diagnosis(known=known)
    assert feed(diagnosis, 300, lambda step: 70.0**step if step < 3 else 1e5) == [
        "learning_rate",
        "rising_loss",
    ]
    assert log[0] == "High. Lower it."
    assert len(log) == 2


def test_only_the_main_process_tells_the_log(log: list[str]) -> None:
    assert feed(Diagnosis(blank_steps=5, is_logged=False), 5, unread=lambda step: 1.0) == ["all_blank"]
    assert log == []


@pytest.mark.parametrize(
    ("optimizer", "rate", "momentum", "is_pretrained", "says"),
    [
        (
            "sgd",
            100.0,
            0.95,
            False,
            "100 is far above what is usual for sgd with momentum 0.95: 0.0005 to 0.25.",
        ),
        ("sgd", 1e-6, 0.95, False, "1e-06 is far below"),
        ("sgd", 1e-6, 0.95, True, None),
        ("sgd", 0.02, 0.95, False, None),
        ("sgd", 1.0, 0.0, False, None),
        ("sgd", 1.0, 0.9, False, "is far above what is usual for sgd with momentum 0.9: 0.001 to 0.5."),
        ("adam", 0.001, 0.95, False, None),
        ("adam", 0.1, 0.95, True, "is far above what is usual for adam: 1e-05 to 0.02."),
        ("other", 100.0, 0.95, False, None),
    ],
)
def test_an_unusual_learning_rate_is_said(
    optimizer: str, rate: float, momentum: float, is_pretrained: bool, says: str | None
) -> None:
    hint = learning_rate_hint(optimizer, rate, momentum, is_pretrained)
    assert (hint is None) == (says is None)
    if hint:
        assert says in hint.message


PIXELS = np.random.default_rng(1).integers(0, 256, (2, 32, 24, 3), dtype=np.uint8)


def create_batch(preprocessing: Preprocessing = Preprocessing(width=24)) -> Batch:  # noqa: B008
    return Batch(
        normalize(PIXELS, preprocessing),
        np.array([[2, 0, 19], [14, 23, 0]], np.int32),
        np.array([3, 2], np.int32),
        ["cat", "ox"],
        ["first.png", "second.png"],
        np.ones(2, bool),
        np.arange(2, dtype=np.int32),
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("order", ["BGR", "RGB"])
def test_a_bad_pixel_is_told_from_divergence_and_the_batch_kept(
    tmp_path: Path, value: float, order: str
) -> None:
    preprocessing = Preprocessing(width=24, channel_order=order)
    batch = create_batch(preprocessing)
    guard = FiniteGuard(tmp_path, preprocessing)
    guard.check_images(7, batch)
    assert not list(tmp_path.iterdir())
    batch.images[1, :, 4, 5] = value
    with pytest.raises(
        UserError, match=r"^step 7: image second\.png contains NaN or infinite pixels"
    ) as error:
        guard.check_images(7, batch)
    folder = tmp_path / "bad_batch_7"
    assert str(folder) in str(error.value)
    expected = PIXELS.copy()
    expected[1, 4, 5] = 255 if value > 0 else 0
    for n in range(2):
        np.testing.assert_array_equal(cv2.imread(str(folder / f"{n:04d}.png")), expected[n])
    record = json.loads((folder / "batch.json").read_text())
    assert record["step"] == 7
    assert record["samples"] == [
        {"file": "0000.png", "name": "first.png", "text": "cat", "target": [2, 0, 19], "finite_pixels": True},
        {"file": "0001.png", "name": "second.png", "text": "ox", "target": [14, 23], "finite_pixels": False},
    ]


def test_a_standardised_batch_is_kept_as_pictures_of_a_usual_contrast(tmp_path: Path) -> None:
    preprocessing = Preprocessing(width=24, standardize=True)
    batch = create_batch(preprocessing)
    batch.images[1, 0, 0, 0] = math.nan
    with pytest.raises(UserError, match="NaN or infinite"):
        FiniteGuard(tmp_path, preprocessing).check_images(7, batch)
    picture = cv2.imread(str(tmp_path / "bad_batch_7" / "0000.png")).astype(np.float64)
    own = PIXELS[0].astype(np.float64)
    np.testing.assert_allclose(picture, np.clip((own - own.mean()) / own.std() * 64 + 127.5, 0, 255), atol=1)


def test_finite_pixels_with_an_infinite_sum_are_no_fault() -> None:
    batch = create_batch()
    batch.images[:] = 3e38
    FiniteGuard().check_images(1, batch)


@pytest.mark.parametrize(
    ("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (2.5, math.nan), (2.5, math.inf)]
)
def test_divergence_names_step_rate_and_images_and_keeps_the_batch(
    tmp_path: Path, loss: float, norm: float
) -> None:
    guard = FiniteGuard(tmp_path, Preprocessing(width=24), "_rank3")
    guard.check_update(5, create_batch(), 2.5, 1.0, 0.25)
    with pytest.raises(UserError) as error:
        guard.check_update(5, create_batch(), loss, norm, 0.25)
    folder = tmp_path / "bad_batch_5_rank3"
    for part in (
        f"step 5: loss {loss}, gradient norm {norm} at",
        "rate 0.25",
        "first.png, second.png",
        folder,
    ):
        assert str(part) in str(error.value)
    record = json.loads((folder / "batch.json").read_text())
    assert (record["learning_rate"], record["loss"], record["gradient_norm"]) == (0.25, str(loss), str(norm))
    assert [sample["finite_pixels"] for sample in record["samples"]] == [True, True]


def test_a_batch_that_cannot_be_kept_does_not_hide_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"step 5: loss nan.* cannot be kept in .*: Not a directory"):
        FiniteGuard(tmp_path / "file").check_update(5, create_batch(), math.nan, 1.0, 0.25)


class Loader:
    """Ten batches an epoch of two images each, numbered."""

    steps_per_epoch = 10
    facts = {"images": 20}  # noqa: RUF012 - never changed

    def batches(self, epoch: int, start_step: int = 0) -> Generator[Batch, None, None]:
        assert (epoch, start_step) == (0, 0)
        for step in range(10):
            batch = create_batch()
            batch.names = [f"{step}a", f"{step}b"]
            yield batch


@pytest.mark.parametrize(("count", "kept", "epoch"), [(1, 1, 50), (3, 3, 51), (99, 10, 50)])
def test_the_first_batches_come_again_and_again(count: int, kept: int, epoch: int) -> None:
    loader = FirstBatches(Loader(), count)
    assert (len(loader.kept), loader.steps_per_epoch) == (kept, epoch)
    numbers = [int(batch.names[0][0]) for batch in loader.batches(4, 2)]
    assert numbers == [step % kept for step in range(2, epoch)]
    assert [b.names[0] for b in islice(loader.batches(0), kept)] == [f"{n}a" for n in range(kept)]


def forward_of(*words: str) -> Callable[[np.ndarray], np.ndarray]:
    """Logits (T, N, C) from which each image is read as its word."""
    charset = Charset()
    logits = np.zeros((12, len(words), charset.num_classes), np.float32)
    for n, word in enumerate(words):
        path = [charset.blank] * 12
        path[1 : 2 * len(word) : 2] = charset.encode(word).tolist()
        logits[np.arange(12), n, path] = 50
    return lambda images: logits


def test_the_self_check_passes_when_all_is_read() -> None:
    batches = [create_batch(), create_batch()]  # twice the same images
    check = OverfitCheck(batches, Artifact(Charset(), Preprocessing(), NetworkSpec()))
    (evaluation,) = check(forward_of("cat", "ox")).values()
    assert evaluation.accuracy.word_accuracy == 1.0
    verdict = check.verdict(evaluation, 310)
    assert verdict.works
    assert verdict.lines == [
        "the network has learnt 2 of 2 images by heart in 310 steps: "
        "data, labels, charset and loss fit together"
    ]


def test_the_self_check_names_what_is_not_read_and_equal_pictures() -> None:
    batch = create_batch()
    batch.images[1] = batch.images[0]
    check = OverfitCheck([batch], Artifact(Charset(), Preprocessing(), NetworkSpec()))
    verdict = check.verdict(*check(forward_of("cat", "cat")).values(), 50)
    assert (verdict.works, verdict.right, verdict.images) == (False, 1, 2)
    text = "\n".join(verdict.lines)
    assert "only 1 of 2 images by heart in 50 steps" in text
    assert "  second.png: 'ox', read as 'cat'" in verdict.lines
    assert "the same picture with two labels: first.png 'cat', second.png 'ox'" in verdict.lines
    assert "the others are learnt" in text
    nothing = check.verdict(*check(forward_of("", "")).values(), 50)
    assert "not one image is learnt: try a --learning_rate" in nothing.lines[-1]
