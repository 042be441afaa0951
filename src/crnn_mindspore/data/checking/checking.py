"""The whole check of a data set before training, and whether training would start."""

from dataclasses import asdict, dataclass, field
from typing import Any

from crnn_mindspore.data.checking.check_images import ImageStatistics, check_images, check_overlap
from crnn_mindspore.data.checking.check_labels import LabelStatistics, check_labels
from crnn_mindspore.data.checking.findings import ERROR, NOTE, Finding, Findings
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.sources.samples import FilterReport, SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.text.codec import Codec


@dataclass
class SetCheck:
    """The check of one set.

    Attributes:
        title: 'training set' or 'test set'.
        source: The set.
        report: What the reader and the filter of training keep and drop.
        labels: What the labels look like.
        images: What the images look like.
        findings: What is wrong, the worst first.
        starts: Whether there is anything left to train on (or to evaluate).
        why_not: What stands in the way if not.
    """

    title: str
    source: SampleSource
    report: FilterReport
    labels: LabelStatistics
    images: ImageStatistics
    findings: list[Finding] = field(default_factory=list)
    starts: bool = True
    why_not: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Everything but the set itself, for JSON."""
        images = {key: value for key, value in asdict(self.images).items() if key != "first_of"}
        return {
            "title": self.title,
            "origin": self.source.origin,
            "starts": self.starts,
            "why_not": self.why_not,
            "kept": self.report.kept,
            "dropped": self.report.dropped,
            "labels": asdict(self.labels),
            "images": images,
            "findings": [asdict(finding) for finding in self.findings],
        }


def check_set(
    title: str,
    source: SampleSource,
    codec: Codec,
    preprocessing: Preprocessing,
    max_text_length: int | None,
    *,
    for_training: bool,
    most_images: int,
    workers: int,
) -> tuple[SetCheck, Findings]:
    """Checks one set.

    Args:
        title: What to call it.
        source: The set.
        codec: The classes training would use.
        preprocessing: The input size training would use.
        max_text_length: Longest word trained on, in characters.
        for_training: Whether words are filtered as in training.
        most_images: Images to look at; 0 for all.
        workers: Background threads.

    Returns:
        The check, and its findings for more to be added to; `SetCheck.findings` is set from them at the end.
    """
    findings = Findings()
    for reason, count in source.report.dropped.items():
        for k, example in enumerate(source.report.examples.get(reason, [reason])):
            findings.add(reason, ERROR, example, count if k == 0 else 0)
    labels = check_labels(source, codec, preprocessing, max_text_length, findings)
    images = check_images(source, codec, preprocessing.height, findings, most=most_images, workers=workers)
    check = SetCheck(title, source, source.report, labels, images)
    try:
        dataset = WordDataset(source, codec, preprocessing, max_text_length, for_training=for_training)
        check.report = dataset.report
    except UserError as error:
        check.starts, check.why_not = False, str(error).splitlines()[0]
    if check.starts and images.looked_at and not images.readable:
        check.starts, check.why_not = False, f"none of the {images.looked_at:,} images looked at is readable"
    return check, findings


def check_sets(
    train: SampleSource,
    test: SampleSource | None,
    codec: Codec,
    preprocessing: Preprocessing,
    max_text_length: int | None,
    *,
    most_images: int = 0,
    workers: int = 2,
) -> list[SetCheck]:
    """Checks the training set, and the test set and their overlap where there is one; see `check_set`."""
    options = {"most_images": most_images, "workers": workers}
    check, findings = check_set(
        "training set", train, codec, preprocessing, max_text_length, for_training=True, **options
    )
    check.findings = findings.sorted()
    if test is None:
        return [check]
    other, found = check_set(
        "test set", test, codec, preprocessing, max_text_length, for_training=False, **options
    )
    check_overlap(train, check.images, test, other.images, codec, found)
    # Evaluation keeps what training drops: there such a word costs accuracy, and is no error.
    for finding in found.sorted():
        if finding.title in other.labels.refused:
            finding.severity = NOTE
    other.findings = found.sorted()
    return [check, other]
