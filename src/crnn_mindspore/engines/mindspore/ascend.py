"""The Ascend profile: every setting that differs there, what it is chosen from, and telling MindSpore.

None of it has run on Ascend hardware. Each choice follows from MindSpore 2.8.0's own sources, its converters'
documentation, or what others changed to train CRNN there; `docs/ascend.md` has a line for each, with the
option that undoes it.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from crnn_mindspore.engines.choices import AUTO, NONE, AscendChoices

ASCEND = "Ascend"
KEEP = "keep"
# Names that MindSpore has for the first generation; see `mindspore.amp._ascend_910a_target`.
FIRST_GENERATION = ("ascend910",)
STATIC_LOSS_SCALE = 512.0
CTC_LOSS, OLDER_CTC_LOSS = "ctc_loss", "CTCLoss"
BY_NORM, BY_STATUS = "norm", "status"

_CACHE_ENABLE, _CACHE_PATH = "MS_COMPILER_CACHE_ENABLE", "MS_COMPILER_CACHE_PATH"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Profile:
    """What applies in this process; nothing is left open.

    Attributes:
        is_active: Whether the settings for Ascend apply where nothing else was chosen.
        jit_level: O0, O1 or O2; "" leaves it to MindSpore.
        precision_mode: What CANN is told; "" leaves it to MindSpore.
        has_fixed_shapes: Whether each graph has one shape.
        lstm_kernel: `operator` or `cells`.
        compile_cache: Folder of compiled graphs; "" keeps none.
    """

    is_active: bool = False
    jit_level: str = ""
    precision_mode: str = ""
    has_fixed_shapes: bool = False
    lstm_kernel: str = "operator"
    compile_cache: str = ""

    def training_options(self, options: Any) -> dict[str, Any]:
        """The options of a training that the profile decides where they are `auto`, by name.

        ctc_operator: `CTCLoss`, in float32. Source: the model zoo and mindocr train with it on Ascend
            (mindspore-lab/mindocr#597: no half precision on 910B); no CRNN trained there with
            `ops.ctc_loss` was found.
        overflow_check: `status`, `mindspore.amp.all_finite`. Source: `amp.py`, `_all_finite`: the first 910,
            and 910B in saturation mode, do not give infinities; they raise a flag that has to be asked for.
        loss_scale: 512, fixed. Source: mindocr's configurations of CRNN on Ascend. A dynamic scale grows
            until something overflows, which is the wrong way where overflow is hard to see.
        """
        decided = {
            "ctc_operator": OLDER_CTC_LOSS if self.is_active else CTC_LOSS,
            "overflow_check": BY_STATUS if self.is_active else BY_NORM,
            "loss_scale": str(STATIC_LOSS_SCALE) if self.is_active else "0.0",
        }
        return {
            **{name: value for name, value in decided.items() if getattr(options, name) == AUTO},
            "lstm_kernel": self.lstm_kernel,
        }

    @contextmanager
    def compiling(self, what: str, identity: Mapping[str, Any]) -> Iterator[None]:
        """Around the first run of a graph: says that it takes long, and keeps the compiled graph.

        MindSpore numbers the graphs of a folder by the order in which a process compiles them and compares
        nothing but the program's files: another order, or another option, silently gets another graph
        (tried with 2.8.0 on a CPU). So each graph has a folder of its own, named after all it depends on,
        and the cache is on while that graph is compiled alone.

        Args:
            what: The graph, for the log.
            identity: Everything that it depends on, for JSON.

        Source: `MS_COMPILER_CACHE_ENABLE`, `MS_COMPILER_CACHE_PATH`,
            https://www.mindspore.cn/docs/en/stable/api_python/env_var_list.html
        """
        if not self.is_active:
            yield
            return
        level = self.jit_level or "of MindSpore's choice"
        if not self.compile_cache:
            _logger.info("%s: compiling at jit_level %s, takes minutes", what, level)
            yield
            return
        whole = {"what": what, "profile": asdict(self), "program": _program_digest(), **identity}
        name = hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()[:16]
        folder = Path(self.compile_cache) / name
        how = "kept from before" if folder.is_dir() else "takes minutes"
        _logger.info("%s: compiling at jit_level %s, %s; cache %s", what, level, how, folder)
        before = {key: os.environ.get(key) for key in (_CACHE_ENABLE, _CACHE_PATH)}
        os.environ |= {_CACHE_ENABLE: "1", _CACHE_PATH: str(folder)}
        try:
            yield
        finally:
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value


def resolve(
    choices: AscendChoices, device_target: str, soc: str, environment: Mapping[str, str], name: str = ""
) -> Profile:
    """The profile that follows from the options, the device and how this process was started.

    jit_level: O2 on the first 910 and with a rank table, else O0: what MindSpore 2.8.0 takes by itself
        (`MsContext::GetJitLevel`), said aloud so that log, overflow check and cache know it. At O2 CANN
        compiles whole graphs, which may not have dynamic shapes (`common/jit_config.py`).
    has_fixed_shapes: O2 refuses dynamic shapes; at O0 DynamicRNN, the LSTM on Ascend, is not among the
        operators that take them. The unrolled LSTM needs to know its time steps too.
    precision_mode: allow_fp32_to_fp16 on the first 910, whose default, force_fp16, computes the loss and
        batch norm in half precision too (`device_context/ascend/op_precision.py`).
    compile_cache: see `Profile.compiling`.

    Args:
        choices: Of the user.
        device_target: Ascend, GPU or CPU.
        soc: What MindSpore calls the chip; "" where it is not known.
        environment: Of this process.
        name: Of the user's folder for caches, for tests; "" asks the environment.
    """
    is_ascend = device_target == ASCEND
    is_active = is_ascend if choices.ascend_profile == AUTO else choices.ascend_profile == "on"
    is_first = soc in FIRST_GENERATION
    has_rank_table = "RANK_TABLE_FILE" in environment and "MS_ROLE" not in environment
    level = choices.jit_level
    if level == AUTO:
        # Of an unknown chip MindSpore knows more.
        own = "O2" if is_first or has_rank_table else "O0" if soc else ""
        level = own if is_active and is_ascend else ""
    precision = choices.precision_mode
    if precision == AUTO:
        precision = "allow_fp32_to_fp16" if is_active and is_first else KEEP
    kernel = "operator" if choices.lstm_kernel == AUTO else choices.lstm_kernel
    fixed = (
        is_active or kernel == "cells" if choices.fixed_shapes == AUTO else choices.fixed_shapes == "always"
    )
    folder = choices.compile_cache
    if folder == AUTO:
        root = name or environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        folder = str(Path(root) / "crnn_mindspore" / "graphs") if is_active and is_ascend else NONE
    return Profile(
        is_active=is_active,
        jit_level=level,
        precision_mode="" if precision == KEEP else precision,
        has_fixed_shapes=fixed,
        lstm_kernel=kernel,
        compile_cache="" if folder in ("", NONE) else folder,
    )


def chip_name() -> str:
    """What MindSpore calls the Ascend chip, such as ascend910b; "" without one.

    Source: `mindspore.amp` asks so itself.
    """
    from mindspore._c_expression import MSContext  # MindSpore's environment is set by now

    return str(MSContext.get_instance().get_ascend_soc_version())


def apply(ms: Any, profile: Profile, device_target: str, is_deterministic: bool) -> list[str]:
    """Tells MindSpore, before the device is set and other processes are joined.

    Args:
        ms: The package mindspore.
        profile: Of this process.
        device_target: Ascend, GPU or CPU.
        is_deterministic: Whether a training is to give the same bits again when it is resumed. Source:
            `device_manager.py`: to be called once, and before `init()` so that communication follows too; the
            framework is not deterministic by default. A CPU computes the same bits anyway.

    Returns:
        What was decided, for the log.
    """
    said = []
    if profile.jit_level:
        ms.set_context(jit_config={"jit_level": profile.jit_level})
        said.append(f"jit_level {profile.jit_level}")
    if profile.precision_mode and device_target == ASCEND:
        ms.device_context.ascend.op_precision.precision_mode(profile.precision_mode)
        said.append(f"precision_mode {profile.precision_mode}")
    if is_deterministic and device_target != "CPU":
        _make_deterministic(ms)
        said.append("deterministic")
    if profile.has_fixed_shapes:
        said.append("fixed shapes")
    if profile.lstm_kernel == "cells":
        said.append("LSTM unrolled")
    return said


def _make_deterministic(ms: Any) -> None:
    try:
        ms.set_deterministic(True)
    except RuntimeError as error:
        if "repeatedly" not in str(error):  # set already: there is no way to ask
            raise


@cache
def _program_digest() -> str:
    """Of the package's sources and MindSpore's version: what a compiled graph comes from beside options."""
    import mindspore as ms  # MindSpore's environment is set by now

    digest = hashlib.sha256(str(ms.__version__).encode())
    for path in sorted(Path(__file__).parents[2].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


INACTIVE = Profile()
