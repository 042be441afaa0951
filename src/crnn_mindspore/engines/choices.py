"""What the user chose of the settings for Ascend, for whoever opens a model; see docs/ascend.md."""

from dataclasses import dataclass, fields
from typing import Any, Self

AUTO = "auto"
NONE = "none"


@dataclass(frozen=True)
class AscendChoices:
    """The options of that section by name; `auto` lets the profile decide.

    Attributes:
        ascend_profile: auto, on or off.
        jit_level: auto, O0, O1 or O2.
        precision_mode: auto, keep, or one of MindSpore's names.
        fixed_shapes: auto, always or never.
        lstm_kernel: auto, operator or cells.
        compile_cache: auto, none, or a folder.
    """

    ascend_profile: str = AUTO
    jit_level: str = AUTO
    precision_mode: str = AUTO
    fixed_shapes: str = AUTO
    lstm_kernel: str = AUTO
    compile_cache: str = AUTO

    @classmethod
    def of(cls, options: Any) -> Self:
        """Those of a command's options."""
        return cls(**{field.name: getattr(options, field.name) for field in fields(cls)})


LEFT_OPEN = AscendChoices()
