"""The shipped weights of single characters read the page of the guide."""

from pathlib import Path

from crnn_mindspore.reading.page_reading import read_page
from crnn_mindspore.reading.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[2]
PAGE = """春眠不觉晓，处处闻啼鸟。夜来风雨声，
花落知多少？这首诗共20个字，写于公元
740年前后。更多内容请看第135页，或者
访问Green School网站，全部免费！"""


def test_the_page_of_the_guide_is_read() -> None:
    recognizer = Recognizer.load(task="characters")
    found = read_page(recognizer, ROOT / "docs" / "characters_page.png", "page")
    assert [line.text for line in found] == PAGE.splitlines()


def test_the_file_is_small_and_knows_its_classes() -> None:
    path = ROOT / "pretrained" / "characters.ckpt"
    assert path.stat().st_size <= 8_000_000
    codec = Recognizer.load(task="characters").backend.artifact.codec
    assert codec.num_classes == 3856 and codec.covers("中") and codec.covers("，") and codec.covers("Z")
