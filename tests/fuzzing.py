"""A fuzzer: a file is changed at random and read, again and again, in a process with a memory limit.

FUZZ_SECONDS is the time for each kind of file, 2 by default; the changes follow from numbers counted from
FUZZ_FIRST, 0 by default, so that two runs differ only in how far they come.
"""

import json
import os
import random
from pathlib import Path

from limited import last_line

SECONDS = float(os.environ.get("FUZZ_SECONDS", "2"))
_FEWEST = 10  # that must have been tried, however slow the machine is
_PROGRAM = """
import collections, json, pathlib, random, resource, sys, time
sys.path.insert(0, "tests")
import src
from fuzzing import changed
from crnn_mindspore.errors import UserError
{setup}
pages = int(open("/proc/self/statm").read().split()[0])
memory = pages * resource.getpagesize() + (int(sys.argv[2]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
folder = pathlib.Path(sys.argv[1])
end = time.monotonic() + float(sys.argv[3])
counts = collections.Counter()
number = int(sys.argv[4])
while time.monotonic() < end or sum(counts.values()) < {fewest}:
    dice = random.Random(number)
    print(number, file=sys.stderr, flush=True)  # the last one is the one that crashed
    try:
        {work}
    except UserError as error:
        counts["refused"] += 1
        assert len(str(error)) < 5000, number
    else:
        counts["read"] += 1
    number += 1
print(json.dumps(counts))
"""


def changed(content: bytes, dice: random.Random) -> bytes:
    """The content with a few bytes, pieces or numbers changed."""
    data = bytearray(content)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        place = dice.randrange(len(data) + 1)
        length = dice.choice((1, 1, 2, 4, 8, 60))
        kind = dice.randrange(8)
        if kind == 0:
            data[place : place + length] = dice.randbytes(length)
        elif kind == 1:
            data[place : place + 1] = dice.choice(
                (b"\0", b"\xff", b"\x7f", b"\x80", b'"', b",", b"\t", b"[", b"{")
            )
        elif kind == 2:
            del data[place : place + length]
        elif kind == 3:
            data[place:place] = data[place : place + length] * dice.choice((1, 2, 50))
        elif kind == 4:
            data[place : place + 4] = dice.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1)).to_bytes(4, "little")
        elif kind == 5:
            data[place : place + 8] = dice.choice((0, 2**63 - 1, 2**63, 2**64 - 1)).to_bytes(8, "little")
        elif kind == 6:
            data[place:place] = dice.choice(
                (b"9" * 5000, b"-1", b"1e999", b"NaN", b"[" * 3000, b" " * 3000, b"../")
            )
        else:
            del data[place:]
    return bytes(data)


def fuzz(setup: str, work: str, folder: Path, mebibytes: int = 512) -> dict[str, int]:
    """Counts of what was read and refused.

    Args:
        setup: Lines that import and prepare.
        work: Lines, indented by 8 blanks but the first, that write a file changed by `dice` into `folder` and
            read it.
        folder: An empty one.
        mebibytes: That reading may take.

    Raises:
        AssertionError: At a crash, or an exception that is no UserError; the change's number is named.
    """
    program = _PROGRAM.format(setup=setup, work=work, fewest=_FEWEST)
    first = os.environ.get("FUZZ_FIRST", "0")
    found = last_line(program, folder, mebibytes, SECONDS, first, cache=folder, seconds=300 + 20 * SECONDS)
    counts: dict[str, int] = json.loads(found)
    print(f"{work.split('(', maxsplit=1)[0].strip()}: {counts}")
    return counts
