"""`src.dataset` and the sets' own modules: images and labels by number and in batches."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import WORDS, word_image, write_folder, write_synth
from zoo_options import options

from crnn_mindspore.errors import UserError
from src.dataset import CaptchaDataset, create_dataset
from src.ic03_dataset import IC03Dataset
from src.ic13_dataset import IC13Dataset
from src.iiit5k_dataset import IIIT5KDataset
from src.svt_dataset import SVTDataset

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
BLANK = 36


def text(label: np.ndarray) -> str:
    """The text of a padded label; nothing may follow the padding."""
    ids = label.tolist()
    length = ids.index(BLANK) if BLANK in ids else len(ids)
    assert ids[length:] == [BLANK] * (len(ids) - length)
    return "".join(ALPHABET[i] for i in ids[:length])


def batches(data) -> list[tuple[np.ndarray, np.ndarray]]:
    rows = data.create_dict_iterator(num_epochs=1, output_numpy=True)
    return [(row["image"], row["label"]) for row in rows]


def expected_image(image: np.ndarray) -> np.ndarray:
    """What the network sees, by another route: in float64, a pixel at a time."""
    resized = cv2.resize(image, (100, 32), interpolation=cv2.INTER_LINEAR).astype(np.float64)
    return ((resized - 127.5) / 127.5).transpose(2, 0, 1)


def write_annotated(root: Path, name: str, line: str, words: tuple[str, ...] = WORDS) -> Path:
    root.mkdir()
    lines = []
    for i, word in enumerate(words):
        cv2.imwrite(str(root / f"{i}.png"), word_image(word))
        lines.append(line.format(f"{i}.png", word) + "\n")
    (root / name).write_text("".join(lines))
    return root


def test_an_evaluation_has_every_image_once_in_order_with_a_smaller_last_batch(words_folder: Path) -> None:
    found = batches(create_dataset("folder", str(words_folder), 3, is_training=False, config=options()))
    assert [len(image) for image, _ in found] == [3, 3, 2]
    images = np.concatenate([image for image, _ in found])
    labels = np.concatenate([label for _, label in found])
    assert (images.dtype, images.shape) == (np.float32, (8, 3, 32, 100))
    assert (labels.dtype, labels.shape) == (np.int32, (8, 23))
    assert [text(label) for label in labels] == list(WORDS)
    expected = np.stack([expected_image(word_image(word)) for word in WORDS])
    np.testing.assert_allclose(images, expected, atol=1e-6)


def test_sizes_and_alphabet_are_those_of_the_options(words_folder: Path) -> None:
    config = options("--image_width=60", "--label_dict=cat", "--max_text_length=5")
    ((images, labels),) = batches(
        create_dataset("folder", str(words_folder), 8, is_training=False, config=config)
    )
    assert images.shape == (8, 3, 32, 60)
    assert labels[0].tolist() == [0, 1, 2, 3, 3]  # of "cat"
    assert labels[1].tolist() == [3, 3, 3, 3, 3]  # nothing of "dog7"


def test_an_evaluation_keeps_long_words_whole_and_unreadable_images(tmp_path: Path, log: list[str]) -> None:
    long = "abcdefghijklmnopqrstuvwxyz"
    data = write_folder(tmp_path / "words", ("Cat!", long, "moon"))
    (data / "2.png").write_bytes(b"broken")
    ((images, labels),) = batches(create_dataset("folder", str(data), 3, is_training=False, config=options()))
    assert [text(label) for label in labels] == ["cat", long, "moon"]
    assert (images[2] == -1).all()
    assert log[0].startswith(f"unreadable image, counted as wrong: {data / '2.png'}")


def test_training_leaves_out_what_cannot_be_learnt_and_says_so(tmp_path: Path, log: list[str]) -> None:
    words = (*WORDS, "Cat!", "abcdefghijklmnopqrstuvwxyz", "mmmmmmmmmmmmmm", "abcdefghijklmnopqrst")
    data = write_synth(tmp_path / "words", words)
    (data / "1" / "1_dog7_1.jpg").write_bytes(b"broken")
    config = options("--max_text_length=19")
    found = batches(create_dataset("synth", str(data), 4, config=config))
    assert [image.shape for image, _ in found] == [(4, 3, 32, 100)] * 2
    texts = sorted(text(label) for _, labels in found for label in labels)
    assert texts == sorted(
        [*(w for w in WORDS if w != "dog7"), "moon"]
    )  # the next takes the broken one's place
    assert log[0] == "8 of 12 samples kept, 4 dropped"
    assert "dropped 1: outside the charset" in "\n".join(log)


def test_training_is_shuffled_anew_every_epoch_and_shared_among_processes(tmp_path: Path) -> None:
    words = [f"{a}{b}" for a in "abcdefgh" for b in "ijklmnop"]
    data = write_synth(tmp_path / "words", words)
    shares = []
    for shard in range(2):
        dataset = create_dataset("synth", str(data), 8, 2, shard, config=options())
        assert dataset.get_dataset_size() == 4
        shares.append([text(label) for _, labels in batches(dataset) for label in labels])
    assert sorted(shares[0] + shares[1]) == words
    assert shares[0] != sorted(shares[0])
    dataset = create_dataset("synth", str(data), 64, config=options())
    rows = dataset.create_dict_iterator(num_epochs=2, output_numpy=True)
    epochs = [[text(label) for row in rows for label in row["label"]] for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == words
    assert epochs[0] != epochs[1]


def test_too_few_images_for_a_batch_are_named_with_both_numbers(tmp_path: Path) -> None:
    data = write_synth(tmp_path / "words", WORDS)
    with pytest.raises(UserError, match="8 images for 2 processes are less than a batch of 5"):
        create_dataset("synth", str(data), 5, 2, 0, config=options())
    with pytest.raises(UserError, match="unknown data set 'sinth'"):
        create_dataset("sinth", str(data), config=options())


def test_each_set_gives_image_and_padded_label_by_number(tmp_path: Path) -> None:
    config = options()
    comma = write_annotated(tmp_path / "comma", "annotation.txt", "{},{}")
    quoted = write_annotated(tmp_path / "quoted", "gt.txt", '{}, "{}"')
    synth = write_synth(tmp_path / "synth", WORDS)
    svt = tmp_path / "svt"
    svt.mkdir()
    for i, word in enumerate(WORDS):
        cv2.imwrite(str(svt / f"{i}_{word.upper()}.jpg"), word_image(word))
    sets = {
        "IC03": IC03Dataset(str(comma), "annotation.txt", config, True, 3),
        "IC13": IC13Dataset(str(quoted), "gt.txt", config),
        "IIIT5K": IIIT5KDataset(str(comma), "annotation.txt", config),
        "SVT": SVTDataset(str(svt), config),
        "train": CaptchaDataset(str(synth), True, config),
        "test": CaptchaDataset(str(synth), is_training=False, config=config),
    }
    for name, dataset in sets.items():
        assert len(dataset) == 8, name
        for i, word in enumerate(WORDS):
            image, label = dataset[i]
            assert (image.dtype, image.shape) == (np.uint8, word_image(word).shape), name
            assert np.abs(image.astype(int) - word_image(word)).mean() < 3, name  # JPEG
            assert (label.dtype, label.shape) == (np.int32, (23,)), name
            assert text(label) == word, name
        with pytest.raises(IndexError):
            dataset[8]


def test_ic03_and_ic13_leave_out_short_and_foreign_words_where_they_are_told_to(
    tmp_path: Path, log: list[str]
) -> None:
    words = ("ox", "cat", "it's", "a")
    comma = write_annotated(tmp_path / "comma", "annotation.txt", "{},{}", words)
    quoted = write_annotated(tmp_path / "quoted", "gt.txt", '{}, "{}"', words)
    config = options()
    for dataset in (
        IC03Dataset(str(comma), "annotation.txt", config, True, 3),
        IC13Dataset(str(quoted), "gt.txt", config),
    ):
        assert [text(dataset[i][1]) for i in range(len(dataset))] == ["cat"]
        assert dataset.report.num_dropped == 3
    assert log.count("1 of 4 samples kept, 3 dropped") == 2
    assert len(IC03Dataset(str(comma), "annotation.txt", config, False, 0)) == 4
    assert len(IC13Dataset(str(quoted), "gt.txt", config, True, 0)) == 3
    for name, path in (("ic03", comma), ("ic13", quoted)):
        assert create_dataset(name, str(path), 4, is_training=False, config=config).get_dataset_size() == 1


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (lambda path: IC03Dataset(f"{path}/no", "annotation.txt", options()), "'.*/no' does not exist"),
        (lambda path: IC03Dataset(path, "annotation.txt", options()), "annotation.txt"),
        (lambda path: IC13Dataset(path, "gt.txt", options()), "gt.txt"),
        (lambda path: IIIT5KDataset(path, "annotation.txt", options()), "annotation.txt"),
        (lambda path: SVTDataset(path, options()), "no images in"),
        (lambda path: CaptchaDataset(path, True, options()), "annotation_train.txt"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, create, message: str) -> None:
    with pytest.raises(UserError, match=message):
        create(str(tmp_path))
