"""What stands beside or in the place of Chinese words: numbers, dates, prices, models, Latin words."""

from collections.abc import Callable, Sequence

import numpy as np

from crnn_mindspore.synth.words.tokens import code

_LATIN_WORDS = (
    "VIP SALE NEW HOT OK WIFI WiFi Apple iPhone USB LED DIY CCTV KTV ATM GPS CPU DVD MP3 PVC BMW KFC NBA "
    "IT IBM HP QQ Tel TEL Mobile Email Android Windows Intel Nike Coffee Tea Bar Cafe Hotel Bank China "
    "Beijing Shanghai Co Ltd Group Fashion Beauty Love Baby Home Life Design Studio Center Made in the of "
    "and for Free Size Best Big Style Sport Auto Car Club Park Food House Shop Store Express Service Open "
    "Welcome Exit WC No A B C D E F G H S M L XL XXL AAA Pro Max Plus Mini Super Smart Music Photo Video "
    "Game Star Sun Moon World"
)
_UNIT_NAMES = (
    "元 元/斤 折 块 万 % 号 楼 层 室 路 岁 年 天 小时 分钟 米 公里 个 件 套 瓶 台 寸 度 克 "
    "kg g ml L cm mm m W V ℃ G GB"
)
_PREFIX_NAMES = "电话: 电话： 热线： 手机： Tel: 传真: 地址： 市场价: 促销价: 售价: 共 第 仅"
_LATIN = tuple(_LATIN_WORDS.split())
_UNITS = tuple(_UNIT_NAMES.split())
_PREFIXES = tuple(_PREFIX_NAMES.split())
_BRACKETS = ("()", "（）", "《》", "【】", "“”", '""', "「」")


def dressed(text: str, rng: np.random.Generator) -> str:
    """The text with something of the kind before, after or in place of it."""
    u = rng.random()
    if u < 0.12:
        pair = _pick(_BRACKETS, rng)
        return pair[0] + text[:-2] + pair[1]
    if u < 0.18:
        return (
            text[: len(text) // 2]
            + _pick(("/", "-", "·", " ", "  ", "+", "、"), rng)
            + text[len(text) // 2 :]
        )
    token = _token(rng)
    if u < 0.45:
        return token
    gap = " " if rng.random() < 0.15 else ""
    if u < 0.7:
        keep = max(1, len(text) - len(token) - len(gap))
        return text[:keep] + gap + token
    if u < 0.9:
        return token + gap + text
    middle = len(text) // 2
    return text[: max(0, middle - len(token) // 2)] + token + text[middle:]


def _token(rng: np.random.Generator) -> str:
    place = int(np.searchsorted(_SHARES, rng.random() * _SHARES[-1], side="right"))
    return _KINDS[place](rng)


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(str(d) for d in rng.integers(0, 10, size=count))


def _number(rng: np.random.Generator) -> str:
    whole = str(int(10 ** rng.uniform(0, 4)))
    return f"{whole}.{_digits(rng, int(rng.integers(1, 3)))}" if rng.random() < 0.2 else whole


def _price(rng: np.random.Generator) -> str:
    sign = "￥" if rng.random() < 0.7 else "$"
    return sign + _number(rng) if rng.random() < 0.6 else _number(rng) + "元"


def _date(rng: np.random.Generator) -> str:
    year, month = int(rng.integers(1949, 2031)), int(rng.integers(1, 13))
    day = int(rng.integers(1, 32))
    forms = (
        f"{year}年{month}月{day}日", f"{year}年", f"{month}月{day}日", f"{year}-{month:02d}-{day:02d}",
        f"{year}.{month}.{day}", f"{year}/{month}/{day}", f"{year}年{month}月",
    )  # fmt: skip
    return _pick(forms, rng)


def _time(rng: np.random.Generator) -> str:
    start = f"{int(rng.integers(0, 24))}:{int(rng.integers(0, 60)):02d}"
    return (
        f"{start}-{int(rng.integers(0, 24))}:{int(rng.integers(0, 12)) * 5:02d}"
        if rng.random() < 0.3
        else start
    )


def _telephone(rng: np.random.Generator) -> str:
    u = rng.random()
    if u < 0.4:
        return "1" + _digits(rng, 10)
    if u < 0.6:
        return f"400-{_digits(rng, 3)}-{_digits(rng, 4)}"
    return f"0{_digits(rng, int(rng.integers(2, 4)))}-{_digits(rng, int(rng.integers(7, 9)))}"


def _latin(rng: np.random.Generator) -> str:
    word = _pick(_LATIN, rng)
    u = rng.random()
    if u < 0.3:
        return word.upper()
    if u < 0.4:
        return word.lower()
    if u < 0.5:
        return word + " " + _pick(_LATIN, rng)
    if u < 0.62:  # any letters at all
        letters = rng.integers(0, 26, size=int(rng.integers(2, 9)))
        return "".join(chr((65 if rng.random() < 0.2 else 97) + int(i)) for i in letters)
    return word


_TOKENS: tuple[tuple[float, Callable[[np.random.Generator], str]], ...] = (
    (0.20, lambda rng: _number(rng) + _pick(_UNITS, rng)),
    (0.12, _number),
    (0.10, _price),
    (0.10, _date),
    (0.05, _time),
    (0.08, _telephone),
    (0.10, lambda rng: _pick(_PREFIXES, rng) + _digits(rng, int(rng.integers(1, 9)))),
    (0.17, _latin),
    (0.08, code),
)
_KINDS = tuple(kind for _, kind in _TOKENS)
_SHARES = np.cumsum([share for share, _ in _TOKENS])
