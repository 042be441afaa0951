"""Images as base64 in JSON: `{"image": "..."}`, or `{"images": [...]}` with an entry an image."""

import base64
import binascii
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

# JSON that means nothing here would be held as objects, a hundred times its size, before it is refused.
_MARKS = b'"{[,:'
_MARKS_OF_AN_IMAGE = 64
_NAME_LENGTH = 1_000

_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def _decoded(value: object) -> bytes:
    """The bytes of base64, with or without `data:image/...;base64,` before it, line breaks, or padding."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    text = value.partition(",")[2] if value[:5].lower() == "data:" else value
    try:
        data = b"".join(text.encode("ascii").split()).translate(_URL_SAFE).rstrip(b"=")
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError("is not base64") from None


Base64 = Annotated[bytes, BeforeValidator(_decoded)]


class NamedImage(BaseModel):
    """An image and what it is called in the answer; by default its number."""

    model_config = ConfigDict(extra="forbid")

    image: Base64
    name: Annotated[str, Field(max_length=_NAME_LENGTH)] | None = None


class JsonImages(BaseModel):
    """A request's images: one, or several."""

    model_config = ConfigDict(extra="forbid")

    image: Base64 | None = None
    images: list[Base64 | NamedImage] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "JsonImages":
        if (self.image is None) == (self.images is None):
            raise ValueError('must hold "image" or "images"')
        return self

    def named(self) -> list[tuple[str, bytes]]:
        """Name and bytes of each image; an image alone is called `image`, as in a body that is one."""
        if self.image is not None:
            return [("image", self.image)]
        return [
            (entry.name or str(number), entry.image)
            if isinstance(entry, NamedImage)
            else (str(number), entry)
            for number, entry in enumerate(self.images or [])
        ]


def parse_json_body(body: bytes, most_images: int) -> list[tuple[str, bytes]]:
    """Name and bytes of each image of a JSON body.

    Args:
        body: The JSON.
        most_images: As many are expected; a body with marks for many more is not parsed.

    Raises:
        ValueError: If it is not JSON, or holds something else; the message says what and where.
    """
    if sum(map(body.count, _MARKS)) > _MARKS_OF_AN_IMAGE * (most_images + 1):
        raise ValueError(f"it holds more than {most_images} images")
    try:
        return JsonImages.model_validate_json(body).named()
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        # Of an entry's two forms the names stand in the place, too; the reader knows its number alone.
        place = ".".join(str(part) for part in problem["loc"][:2])
        raise ValueError(f"{place}: {problem['msg']}" if place else problem["msg"]) from None
