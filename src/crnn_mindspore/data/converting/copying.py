"""Samples from any reader to any output, their bytes as they are."""

from crnn_mindspore.data.converting.word_output import WordOutput
from crnn_mindspore.data.image_io import UnreadableImageError, decode_image
from crnn_mindspore.data.readers.lmdb_index import NOT_UTF8
from crnn_mindspore.data.sources.samples import FilterReport, SampleSource
from crnn_mindspore.progress_bar import progress_bar

UNREADABLE = "unreadable image"

_SUFFIXES = (
    (b"\xff\xd8", ".jpg"),
    (b"\x89PNG", ".png"),
    (b"BM", ".bmp"),
    (b"GIF8", ".gif"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"RIFF", ".webp"),
)


def copy_samples(
    source: SampleSource, output: WordOutput, lexicon: str | None = None, *, check_images: bool = True
) -> FilterReport:
    """Copies every sample; returns what was copied and what was not, the reader's drops included.

    Args:
        source: The samples.
        output: Where they go; its `with` block is the caller's.
        lexicon: The name under which the samples' lexicons are kept, None to leave them out.
        check_images: Whether images that cannot be decoded are left out.
    """
    report = FilterReport()
    for i in progress_bar(range(len(source)), desc="copying", unit="image"):
        name, text = source.name(i), source.text(i)
        if not _is_utf8(text):
            report.drop(NOT_UTF8, f"{name} {text!r}")
            continue
        try:
            data = source.image_bytes(i)
            if check_images:
                decode_image(data, name)
        except UnreadableImageError as error:
            report.drop(UNREADABLE, str(error))
            continue
        words = source.lexicon(i) if lexicon else None
        output.add(
            f"{i // 1000:06d}/{i + 1:09d}{suffix_of(data)}",
            data,
            text,
            {str(lexicon): words} if words else None,
        )
        report.kept += 1
    return source.report.followed_by(report)


def _is_utf8(text: str) -> bool:
    """Whether no byte of the text came from a file name in another encoding."""
    return not any("\udc80" <= c <= "\udcff" for c in text)


def suffix_of(data: bytes) -> str:
    """The file name suffix that fits the first bytes of an image."""
    return next((suffix for magic, suffix in _SUFFIXES if data.startswith(magic)), ".bin")
