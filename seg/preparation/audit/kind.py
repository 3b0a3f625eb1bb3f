"""How a file is stored."""

from pathlib import Path

from PIL import Image

from seg.data.errors import DataError, data_errors
from seg.data.formats import suffix_of
from seg.data.formats.pictures import PILLOW_FORMATS, open_npy

_KINDS = {
    "1": "1-bit",
    "L": "8-bit grey",
    "LA": "8-bit grey + alpha",
    "P": "palette",
    "RGB": "8-bit RGB",
    "RGBA": "8-bit RGB + alpha",
    "I": "32-bit grey",
    "F": "float grey",
    "CMYK": "CMYK",
}


def kind_of(path: Path) -> str:
    """Format and pixels as stored, from the header; the extension where that does not tell."""
    try:
        with data_errors(path):
            if path.suffix.lower() == ".npy":
                array = open_npy(path)
                return f"NPY {array.dtype} {'RGB' if array.ndim == 3 else 'grey'}"
            with path.open("rb") as file, Image.open(file, formats=PILLOW_FORMATS) as image:
                bits = image.tag_v2.get(258, (8,)) if image.format == "TIFF" else (8,)
                file.seek(24)
                deep = max(bits) > 8 or (image.format == "PNG" and file.read(1) == b"\x10")
                pixels = _KINDS.get(image.mode, "16-bit grey" if image.mode[0] == "I" else "")
                if deep and pixels.startswith(("8-bit", "32-bit")):
                    pixels = f"16-bit {pixels.partition(' ')[2]}"
                return f"{image.format} {pixels or image.mode}"
    except DataError:
        suffix = suffix_of(path).lstrip(".")
        return "NIfTI" if suffix.startswith("nii") else suffix.upper() or "no extension"
