"""An image within LabelMe's annotation file, where it is not a file of its own."""

import base64
import json
from io import BytesIO
from pathlib import Path

from PIL import Image

from seg.data.errors import DataError
from seg.data.formats import pictures
from seg.data.formats.pictures import Header, Pixels, Plane


def decode(path: Path, plane: Plane | None) -> Pixels:
    """The picture as stored; call it within `data_errors`."""
    return pictures.decode(path, None, _image(path))


def read_header(path: Path, plane: Plane | None) -> Header:
    """Size and orientation; call it within `data_errors`."""
    with Image.open(BytesIO(_image(path)), formats=pictures.PILLOW_FORMATS) as image:
        return Header(image.height, image.width, image.getexif().get(0x0112) or 1)


def _image(path: Path) -> bytes:
    content = json.loads(path.read_bytes())
    data = content.get("imageData") if isinstance(content, dict) else None
    if not data:
        raise DataError(path, "has no imageData", "put the image beside it, as imagePath says")
    return base64.b64decode(data, validate=True)
