"""Rendered batches of images that keep their ratio: one width a step, entered at any step."""

from collections import Counter

import numpy as np
import pytest
from test_synth_common import renderer as shared_renderer

from crnn_mindspore.data.preprocess import Preprocessing, own_width, time_steps_for_width
from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.render import Renderer
from crnn_mindspore.synth.render_loader import Ramp, RenderLoader
from crnn_mindspore.synth.width_plan import BatchWidth, WidthPlan, create_width_plan, render_of_width

P = Preprocessing(width=160, width_step=32)


@pytest.fixture(scope="module", name="renderer")
def few_typefaces() -> Renderer:
    return shared_renderer()


def loader(renderer: Renderer, workers: int = 0, **options: int) -> RenderLoader:
    return RenderLoader(renderer, P, 4, ramp=Ramp(0, 24), epoch_images=24, num_workers=workers, **options)


def test_a_batch_has_one_width_and_any_step_can_be_entered(renderer: Renderer) -> None:
    whole = list(loader(renderer).batches(1))
    assert [batch.images.shape[:3] for batch in whole] == [(4, 3, 32)] * 6
    assert len({batch.images.shape[3] for batch in whole}) > 1
    entered = list(loader(renderer).batches(1, start_step=5))
    np.testing.assert_array_equal(entered[0].images, whole[5].images)
    assert entered[0].texts == whole[5].texts
    for batch in whole:
        steps = time_steps_for_width(batch.images.shape[3])
        assert all(renderer.codec.refusal(text, steps) is None for text in batch.texts)


def test_ranks_have_the_same_width_at_a_step(renderer: Renderer) -> None:
    ranks = [list(loader(renderer, rank=r, world_size=2).batches(0)) for r in range(2)]
    assert [b.images.shape[3] for b in ranks[0]] == [b.images.shape[3] for b in ranks[1]]
    assert sorted(i for rank in ranks for b in rank for i in b.indices.tolist()) == list(range(24))


@pytest.mark.slow
def test_background_processes_make_the_same_batches(renderer: Renderer) -> None:
    here = list(loader(renderer).batches(0, start_step=3))
    there = list(loader(renderer, workers=1).batches(0, start_step=3))
    for a, b in zip(here, there, strict=True):
        np.testing.assert_array_equal(a.images, b.images)
        assert a.texts == b.texts


def test_widths_come_as_often_as_by_nature_and_spread_over_the_steps() -> None:
    plan = WidthPlan({32: "a", 64: "bcd", 96: "ef"}, {32: "g"})
    found = [plan.at(step, 1.0).width for step in range(600)]
    assert Counter(found) == {32: 100, 64: 300, 96: 200} or all(
        abs(Counter(found)[w] - share) <= 2 for w, share in ((32, 100), (64, 300), (96, 200))
    )
    for first in range(0, 600, 60):  # in every stretch, too
        part = Counter(found[first : first + 60])
        assert all(abs(part[w] - share) <= 3 for w, share in ((32, 10), (64, 30), (96, 20)))
    assert plan.at(7, 1.0) == plan.at(7, 1.0)
    assert {plan.at(step, 0.0).habits for step in range(50)} == {"g"}
    plain = sum(plan.at(step, 0.25).habits == "g" for step in range(1000))
    assert 740 <= plain <= 760


def test_images_are_near_their_width_before_they_are_brought_to_it(renderer: Renderer) -> None:
    plan = create_width_plan(renderer, P)
    assert set(plan.widths) <= {32, 64, 96, 128, 160}
    wanted = next(plan.at(step, 1.0) for step in range(100) if plan.at(step, 1.0).width == 96)
    assert render_of_width(renderer, P, 0, 1.0, wanted)[0].shape == (32, 96, 3)
    # What is brought to it is of about its width: the length of the text makes it so.
    habits = [wanted.habits[index % len(wanted.habits)] for index in range(60)]
    images = [renderer.render(1000 + index, 1.0, habit)[0] for index, habit in enumerate(habits)]
    natural = [own_width(P, *image.shape[:2]) for image in images]
    assert sum(64 <= width <= 128 for width in natural) >= 45


def test_a_renderer_without_habits_is_refused() -> None:
    with pytest.raises(UserError, match="one size"):
        create_width_plan(object(), P)


def test_no_text_that_fits_is_an_error(renderer: Renderer) -> None:
    class Long:
        codec = renderer.codec

        def render(self, index: int, difficulty: float = 1.0, habit: int = 0) -> tuple[np.ndarray, str]:
            return np.zeros((32, 8 + index % 2, 3), np.uint8), "longer than that"

    with pytest.raises(UserError, match="no text that is rendered fits images 32 pixels wide"):
        render_of_width(Long(), P, 0, 1.0, BatchWidth(32, [16]))
