"""Python's pickle format, read for tensors alone: nothing in it is called, imported or created by name.

A pickle is a program for a small stack machine, and Python's own reader calls whatever the program names.
This one knows texts, numbers, lists, tuples, dictionaries and the few names by which PyTorch stores a tensor;
at the first other name it stops.

Source: Python's `pickletools`, which also takes the instructions apart; PyTorch, torch/serialization.py and
torch/_utils.py, for the names.
"""

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 2 * 2**20  # of one pickle; what it makes takes up to 100 times as much memory

# Storage class of PyTorch -> type of its numbers; bfloat16 is the upper half of a float32.
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
_SHOWN = 80  # characters of a name, in messages
_ORDERED = "collections.OrderedDict"
_TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
_PARAMETER = "torch._utils._rebuild_parameter"
_KNOWN = {_ORDERED, *_TENSORS, _PARAMETER, *(f"torch.{name}" for name in STORAGES)}


@dataclass(frozen=True)
class StorageRef:
    """Numbers elsewhere in the file.

    Attributes:
        kind: Of `STORAGES`.
        key: Their name.
        count: How many there are.
        first: The first that is meant; of a part of a storage, which old files have.
    """

    kind: str
    key: str
    count: int
    first: int = 0


@dataclass(frozen=True)
class TensorRef:
    """A tensor: which numbers of a storage, in which shape; not checked."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class _Name:
    text: str


_MARK = object()


@dataclass(frozen=True)
class Pickle:
    """What a pickle holds.

    Attributes:
        value: The value.
        length: Of the pickle in bytes.
        storages: Every storage that it refers to, by name.
    """

    value: Any
    length: int
    storages: dict[str, StorageRef]


def read_pickle(content: bytes) -> Pickle:
    """Reads a pickle.

    Args:
        content: Begins with the pickle; of what follows nothing is read.

    Raises:
        ValueError: If it names anything but tensors, is damaged, or longer than `MOST_BYTES`.
    """
    machine = _Machine()
    try:
        for operation, argument, position in pickletools.genops(io.BytesIO(content[:MOST_BYTES])):
            assert position is not None
            if operation.name == "STOP":
                return Pickle(machine.pop(), position + 1, machine.storages)
            machine.run(operation.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"its pickle is damaged ({error!r})") from None
    raise ValueError("its pickle has no end")


class _Machine:
    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._copied = 0
        self.storages: dict[str, StorageRef] = {}

    def pop(self) -> Any:
        return self._stack.pop()

    def run(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _MADE:
            self._stack.append(_MADE[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"its pickle has the instruction {name}, which no tensor needs")

    def _to_mark(self) -> list[Any]:
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise IndexError("no mark")
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items

    def tuple_of(self, count: int | None) -> None:
        items = self._to_mark() if count is None else [self.pop() for _ in range(count)][::-1]
        self._stack.append(tuple(items))

    def list_of(self) -> None:
        self._stack.append(self._to_mark())

    def dict_of(self) -> None:
        items = self._to_mark()
        self._stack.append({})
        self.set_items(items)

    def append(self, is_several: bool) -> None:
        items = self._to_mark() if is_several else [self.pop()]
        target = self._stack[-1]
        if type(target) is not list:
            raise TypeError("no list to append to")
        target.extend(items)

    def set_items(self, items: list[Any] | None = None) -> None:
        items = self._to_mark() if items is None else items
        target = self._stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise TypeError("no dictionary to put into")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(
                key, str | int | float | bytes | None
            ):  # a nested key would be hashed to its depth
                raise TypeError("a key that is neither a text nor a number")
            target[key] = value

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def memorize(self, number: int | None) -> None:
        self._memo[len(self._memo) if number is None else int(number)] = self._stack[-1]

    def recall(self, number: int) -> None:
        self._stack.append(self._memo[int(number)])

    def name(self, text: str) -> None:
        module, _, name = text.partition(" ")
        if f"{module}.{name}" not in _KNOWN:
            shown = ascii(f"{module}.{name}"[:_SHOWN])[1:-1]
            raise ValueError(f"it holds {shown}, which is not a tensor; nothing of it was run")
        self._stack.append(_Name(f"{module}.{name}"))

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        self.name(f"{module} {name}")

    def reduce(self) -> None:
        arguments, name = self.pop(), self.pop()
        if type(name) is not _Name or type(arguments) is not tuple:
            raise TypeError("nothing to make a value of")
        if name.text == _ORDERED and arguments:
            self._copied += len(arguments[0])
            if self._copied > MOST_BYTES:  # one list, made into dictionaries again and again
                raise ValueError("its pickle makes more dictionaries than it has content for")
        self._stack.append(_made(name.text, arguments))

    def build(self) -> None:
        """Attributes of a dictionary (`_metadata` of a state dict) are of no use here."""
        self.pop()
        if type(self._stack[-1]) is not dict:
            raise TypeError("attributes of what has none")

    def storage(self) -> None:
        ref = _storage_of(self.pop())
        known = self.storages.setdefault(ref.key, ref)
        if (known.kind, known.count) != (ref.kind, ref.count):
            raise ValueError(f"it takes storage {ref.key!r} for two different ones")
        self._stack.append(ref)

    def mark(self) -> None:
        self._stack.append(_MARK)

    def drop_to_mark(self) -> None:
        self._to_mark()

    def repeat(self) -> None:
        self._stack.append(self._stack[-1])


_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
}
_ACTIONS: dict[str, Callable[[_Machine, Any], Any]] = {
    "MARK": lambda m, _: m.mark(),
    "POP": lambda m, _: m.pop(),
    "POP_MARK": lambda m, _: m.drop_to_mark(),
    "DUP": lambda m, _: m.repeat(),
    "LIST": lambda m, _: m.list_of(),
    "TUPLE": lambda m, _: m.tuple_of(None),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
    "DICT": lambda m, _: m.dict_of(),
    "APPEND": lambda m, _: m.append(False),
    "APPENDS": lambda m, _: m.append(True),
    "SETITEM": lambda m, _: m.set_item(),
    "SETITEMS": lambda m, _: m.set_items(),
    "PUT": lambda m, n: m.memorize(n),
    "BINPUT": lambda m, n: m.memorize(n),
    "LONG_BINPUT": lambda m, n: m.memorize(n),
    "MEMOIZE": lambda m, _: m.memorize(None),
    "GET": lambda m, n: m.recall(n),
    "BINGET": lambda m, n: m.recall(n),
    "LONG_BINGET": lambda m, n: m.recall(n),
    "GLOBAL": lambda m, text: m.name(text),
    "STACK_GLOBAL": lambda m, _: m.stack_name(),
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.build(),
    "BINPERSID": lambda m, _: m.storage(),
}


def _made(name: str, arguments: tuple[Any, ...]) -> Any:
    if name == _ORDERED:
        pairs = arguments[0] if arguments else []  # Python 2 wrote them here
        if not all(type(key) is str for key, _ in pairs):
            raise TypeError("a key that is not a text")
        return dict(pairs)
    if name == _PARAMETER and isinstance(arguments[0], TensorRef):
        return arguments[0]
    if name in _TENSORS and isinstance(arguments[0], StorageRef):
        storage, offset, shape, strides = arguments[:4]
        if type(shape) is tuple and type(strides) is tuple:
            return TensorRef(storage, offset, shape, strides)
    raise ValueError(f"it holds {name} of something that is not a tensor")


def _storage_of(identity: Any) -> StorageRef:
    """('storage', class, key, device, count), in old files with (key, first, count) of a part after it."""
    word, kind, key, _, count, *view = identity
    name = kind.text.removeprefix("torch.") if type(kind) is _Name else ""
    if word != "storage" or name not in STORAGES or type(key) is not str or type(count) is not int:
        raise ValueError("it refers to something that is not the storage of a tensor")
    first = int(view[0][1]) if view and view[0] is not None else 0
    return StorageRef(name, key, count, first)
