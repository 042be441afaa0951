"""What a model may say of itself: the type and the range of every field of a description.

A description comes with a model from anywhere, and decides how much memory is asked for.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crnn_mindspore.errors import UserError

MOST_CHARACTERS = 32 * 2**20  # of a description's JSON
_SHOWN = 60
_LARGEST = 2**63 - 1

_Size = Annotated[int, Field(ge=1, le=65_536)]
_Grey = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class _Fields(BaseModel):
    # Strict: no text for a number. A kind of the user's own, and other versions, have further fields.
    model_config = ConfigDict(strict=True, extra="allow")


class _PreprocessingFields(_Fields):
    height: _Size
    width: _Size
    channel_order: str
    interpolation: str
    mean: _Grey
    std: _Grey
    standardize: bool = False
    step_offset: int = Field(0, ge=-64, le=64)
    width_step: int = Field(0, ge=0, le=65_536)
    turn_above: float = Field(0.0, ge=0, le=65_536, allow_inf_nan=False)


class _NetworkFields(_Fields):
    version: str = ""
    hidden_size: _Size = 1
    channel_scale: float = Field(1.0, gt=0, le=1_024, allow_inf_nan=False)
    leaky_slope: float = Field(0.0, ge=0, lt=1)
    rnn_type: str = ""
    resnet_block: str = ""
    stem_stride: int = Field(1, ge=1, le=2)
    stem_pooling: bool = True
    last_channels: _Size = 1
    map_mean: bool = True


class _DescriptionFields(_Fields):
    format_version: int = Field(ge=1)
    task: str
    preprocessing: _PreprocessingFields
    network: _NetworkFields
    step: int = Field(ge=0, le=_LARGEST)
    weights_sha256: str = Field(max_length=64)
    graph_sha256: str = Field("", max_length=64)
    precision: str = ""
    versions: dict[str, str]
    training: dict[str, Any]
    charset: str | list[str] = ""
    case_sensitive: bool = False
    blank: int = Field(0, ge=0, le=_LARGEST)
    num_classes: int = Field(0, ge=0, le=_LARGEST)


def check_fields(values: object) -> None:
    """Checks what JSON holds, before anything is made of it.

    Raises:
        UserError: At the first field that is missing, of another type or out of its range; the field and its
            value are named.
    """
    try:
        _DescriptionFields.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "it"
        if first["type"] == "missing":
            raise UserError(f"its description is damaged ({name} is missing)") from None
        value = repr(first["input"])
        shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
        reason = (first["msg"][:1].lower() + first["msg"][1:]).partition(" or instance of ")[0]
        raise UserError(f"its description is damaged ({name} is {shown}: {reason})") from None
