"""Every format that users of this field have, in one table: what was written is what is read.

The truth is an array made here. It is written by another library than the one that reads, or byte
by byte: Pillow and OpenCV write what tifffile reads, and tifffile what Pillow reads, where they
can; nibabel and pydicom write headers, numpy the values.
"""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from seg.data.formats import read_header
from seg.data.images import read_image, read_mask
from seg.data.masks import to_indices

SHAPES = [(13, 17), (3, 3), (1, 500), (65, 97)]
PALETTE = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [9, 9, 9]])


def pillow(**options):
    return lambda path, a: Image.fromarray(a).save(path, **options)


def tiff(**options):
    return lambda path, a: tifffile.imwrite(path, a, **options)


def opencv(path, a):
    order = a if a.ndim == 2 else a[..., [2, 1, 0, 3][: a.shape[2]]]
    path.write_bytes(cv2.imencode(path.suffix, np.ascontiguousarray(order))[1].tobytes())


def npy(path, a):
    np.save(path, a)


def palette(path, a):
    image = Image.new("P", a.shape[::-1])
    image.putdata(a.ravel().tolist())
    image.putpalette(PALETTE.ravel().tolist())
    image.save(path)


def png(bits, colour):
    """PNG by hand, of a bit depth and colour type that Pillow and OpenCV do not write."""

    def chunk(name, data):
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)

    def write(path, a):
        if bits == 16:
            rows = [row.astype(">u2").tobytes() for row in a]
        else:  # each value as `bits` bits, the highest first
            digits = (a[..., None] >> np.arange(bits)[::-1]) & 1
            rows = [np.packbits(row.astype(np.uint8)).tobytes() for row in digits]
        header = struct.pack(">IIBBBBB", a.shape[1], a.shape[0], bits, colour, 0, 0, 0)
        data = zlib.compress(b"".join(b"\0" + row for row in rows))
        chunks = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)

    return write


def with_alpha(write):
    def ramp(a):
        return np.arange(a[..., 0].size if a.ndim == 3 else a.size).reshape(a.shape[:2])

    return lambda path, a: write(path, np.dstack([a, ramp(a).astype(a.dtype)]))


def opaque(write):
    return lambda path, a: write(path, np.dstack([a, np.full(a.shape[:2], 255, a.dtype)]))


def thrice(write):
    return lambda path, a: write(path, np.dstack([a] * 3))


def as_type(dtype, write):
    return lambda path, a: write(path, a.astype(dtype))


def nifti(axis=2, dtype=None, slope=None):
    """The truth as slice 1 of 3 along `axis`, its rows along the later of the other two axes."""

    def write(path, a):
        nibabel = pytest.importorskip("nibabel", reason="reads NIfTI; in the medical extra")
        others = np.roll(a, 1, axis=0)
        volume = np.stack([others, a, others]).transpose(0, 2, 1)  # (slice, column, row)
        volume = np.moveaxis(volume, 0, axis).astype(dtype or a.dtype)
        order = ">" if volume.dtype.byteorder == ">" else "<"
        header = nibabel.Nifti1Header(endianness=order)
        header.set_data_dtype(volume.dtype)
        image = nibabel.Nifti1Image(volume, np.diag([0.5, 0.7, 3, 1]), header)
        if slope:
            image.header.set_slope_inter(*slope)
        image.to_filename(path)
        if slope:  # nibabel would scale what it writes: the bytes are the values as they are
            data = path.read_bytes()
            path.write_bytes(data[:352] + volume.tobytes(order="F"))
            assert len(data) == 352 + volume.nbytes

    return write


def dicom(bits=8, frames=None, syntax="1.2.840.10008.1.2.1", encode=None, **tags):
    """The truth as the pixel data, byte by byte; frame 1 of 3 if `frames`."""

    def write(path, a):
        pydicom = pytest.importorskip("pydicom", reason="reads DICOM; in the medical extra")
        from pydicom.encaps import encapsulate

        ds = pydicom.Dataset()
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = syntax
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        ds.Rows, ds.Columns = a.shape[:2]
        ds.SamplesPerPixel = a.shape[2] if a.ndim == 3 else 1
        ds.PhotometricInterpretation = "RGB" if a.ndim == 3 else "MONOCHROME2"
        if a.ndim == 3:
            ds.PlanarConfiguration = 0
        ds.BitsAllocated = a.dtype.itemsize * 8
        ds.BitsStored, ds.HighBit = bits, bits - 1
        ds.PixelRepresentation = int(a.dtype.kind == "i")
        for keyword, value in tags.items():
            setattr(ds, keyword, value)
        parts = [a] if frames is None else [a[::-1], a, a[:, ::-1]]
        if frames:
            ds.NumberOfFrames = len(parts)
        if encode:
            ds.PixelData = encapsulate([encode(part) for part in parts])
            ds["PixelData"].is_undefined_length = True
        else:
            planar = tags.get("PlanarConfiguration")
            data = b"".join((np.moveaxis(p, -1, 0) if planar else p).tobytes() for p in parts)
            ds.PixelData = data + b"\0" * (len(data) % 2)
        ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
        ds.save_as(path, enforce_file_format=True)

    return write


def jpeg_2000(a):
    from io import BytesIO

    file = BytesIO()
    Image.fromarray(a).save(file, format="JPEG2000", no_jp2=True, irreversible=False)
    return file.getvalue()


def run_lengths(a):
    """DICOM's RLE (PS3.5 annex G) by hand: each byte plane, highest first, as literal runs."""
    a = a if a.ndim == 3 else a[..., None]
    planes = [
        a[..., c].astype(a.dtype.newbyteorder(">")).view(np.uint8).reshape(*a.shape[:2], -1)[..., b]
        for c in range(a.shape[2])
        for b in range(a.dtype.itemsize)
    ]
    segments = []
    for plane in planes:
        data = b""
        for row in plane:  # a run may not go on in the next row
            for start in range(0, len(row), 128):
                run = row[start : start + 128].tobytes()
                data += bytes([len(run) - 1]) + run
        segments.append(data + b"\0" * (len(data) % 2))
    offsets = np.cumsum([64] + [len(s) for s in segments])[:-1].tolist()
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(
        segments
    )


def dicom_palette(path, a):
    def table(channel):
        return (np.resize(PALETTE[:, channel], 256) << 8).astype("<u2").tobytes()

    names = {
        f"{c}PaletteColorLookupTableDescriptor": [256, 0, 16] for c in ("Red", "Green", "Blue")
    }
    data = {
        f"{c}PaletteColorLookupTableData": table(i) for i, c in enumerate(("Red", "Green", "Blue"))
    }
    dicom(PhotometricInterpretation="PALETTE COLOR", **names, **data)(path, a)


def _random(shape, high, dtype):
    values = np.random.default_rng(5).integers(0, high, shape).astype(dtype)
    values.flat[0], values.flat[1] = 0, high - 1  # so that the range is known
    return values


def _three(grey):
    return np.dstack([grey] * 3)


def _reference_window(values, low, high):
    share = (np.clip(values.astype(np.float64), low, high) - low) / (high - low)
    return (255 * share).astype(np.float32)


# What is written, and the RGB that is to be read of it.
TRUTHS = {
    "bits": lambda shape: ((a := _random(shape, 2, bool)), _three(a * np.uint8(255))),
    "four greys": lambda shape: ((a := _random(shape, 4, np.uint8)), _three(a * np.uint8(85))),
    "sixteen greys": lambda shape: ((a := _random(shape, 16, np.uint8)), _three(a * np.uint8(17))),
    "six colours": lambda shape: ((a := _random(shape, 6, np.uint8)), PALETTE[a].astype(np.uint8)),
    "grey": lambda shape: ((a := _random(shape, 256, np.uint8)), _three(a)),
    "rgb": lambda shape: ((a := _random((*shape, 3), 256, np.uint8)), a),
    "deep grey": lambda shape: (
        (a := _random(shape, 65536, np.uint16)),
        _three(_reference_window(a, 0, 65535)),
    ),
    "deep rgb": lambda shape: (
        (a := _random((*shape, 3), 65536, np.uint16)),
        _reference_window(a, 0, 65535),
    ),
    "12 bits": lambda shape: (
        (a := _random(shape, 4096, np.uint16)),
        _three(_reference_window(a, 0, 4095)),
    ),
    "float to 1": lambda shape: (
        (a := _random(shape, 256, np.float32) / np.float32(255)),
        _three(_reference_window(a, 0, 1)),
    ),
    "float to 255": lambda shape: ((a := _random(shape, 256, np.float32)), _three(a)),
    # Hounsfield units, stored with an offset of 1024 where a file can, seen from -100 to 300.
    "units": lambda shape: (
        (a := _random(shape, 4096, np.int16) - np.int16(1024)),
        _three(_reference_window(a, -100, 300)),
    ),
}
UNITS = {"window": (-100, 300)}


def shifted(write, by, dtype):
    return lambda path, a: write(path, (a.astype(int) + by).astype(dtype))


IMAGES = {
    "1-bit png": ("a.png", "bits", pillow()),
    "2-bit png": ("a.png", "four greys", png(2, 0)),
    "4-bit png": ("a.png", "sixteen greys", png(4, 0)),
    "palette png": ("a.png", "six colours", palette),
    "grey png": ("a.png", "grey", opencv),
    "grey-alpha png": ("a.png", "grey", with_alpha(pillow())),
    "rgb png": ("a.png", "rgb", opencv),
    "rgba png": ("a.png", "rgb", with_alpha(pillow())),
    "16-bit grey png": ("a.png", "deep grey", png(16, 0)),
    "16-bit rgb png": ("a.png", "deep rgb", png(16, 2)),
    "16-bit rgba png": ("a.png", "deep rgb", with_alpha(png(16, 6))),
    "16-bit grey-alpha png": ("a.png", "deep grey", with_alpha(png(16, 4))),
    "16-bit png of 12 bits, windowed": ("a.png", "12 bits", png(16, 0), {"window": (0, 4095)}),
    "upper-case suffix": ("a.PNG", "rgb", pillow(format="PNG")),
    "png named jpg": ("a.jpg", "rgb", pillow(format="PNG")),
    "non-ascii name": ("ß ü 图.png", "deep rgb", opencv),
    "8-bit bmp": ("a.bmp", "grey", pillow()),
    "24-bit bmp": ("a.bmp", "rgb", opencv),
    "gif": ("a.gif", "six colours", palette),
    "grey gif": ("a.gif", "grey", pillow()),
    "grey tiff": ("a.tif", "grey", pillow()),
    "rgb tiff": ("a.tif", "rgb", tiff(photometric="rgb")),
    "rgba tiff": ("a.tif", "rgb", opaque(pillow())),
    "planar tiff": (
        "a.tif",
        "rgb",
        lambda path, a: tiff(photometric="rgb", planarconfig="separate")(
            path, np.moveaxis(a, -1, 0)
        ),
    ),
    "deflate tiff": ("a.tif", "rgb", pillow(compression="tiff_adobe_deflate")),
    "lzw tiff": ("a.tiff", "rgb", pillow(compression="tiff_lzw")),
    "packbits tiff": ("a.tif", "rgb", pillow(compression="packbits")),
    "tiled tiff": ("a.tif", "grey", tiff(tile=(16, 16))),
    "white-is-zero tiff": (
        "a.tif",
        "grey",
        lambda p, a: tiff(photometric="miniswhite")(p, 255 - a),
    ),
    "16-bit grey tiff": ("a.tif", "deep grey", tiff()),
    "16-bit rgb tiff": ("a.tif", "deep rgb", tiff(photometric="rgb")),
    "big-endian tiff": ("a.tif", "deep rgb", tiff(photometric="rgb", byteorder=">")),
    "16-bit lzw grey tiff": ("a.tif", "deep grey", pillow(compression="tiff_lzw")),
    "16-bit lzw rgb tiff": ("a.tif", "deep rgb", opencv),
    "float tiff to 1": ("a.tif", "float to 1", tiff()),
    "float tiff to 255": ("a.tif", "float to 255", tiff()),
    "float lzw tiff": ("a.tif", "float to 1", pillow(compression="tiff_lzw")),
    "signed tiff, windowed": ("a.tif", "units", tiff(), UNITS),
    "npy": ("a.npy", "rgb", npy),
    "grey npy": ("a.npy", "grey", npy),
    "npy with one channel": ("a.npy", "grey", lambda path, a: npy(path, a[..., None])),
    "bool npy": ("a.npy", "bits", npy),
    "big-endian npy": ("a.npy", "deep rgb", as_type(">u2", npy)),
    "signed npy, windowed": ("a.npy", "units", as_type(np.int64, npy), UNITS),
    "8-bit dicom": ("a.dcm", "grey", dicom()),
    "8-bit dicom states a window": ("a.dcm", "grey", dicom(WindowCenter=9, WindowWidth=3)),
    "1-bit dicom": ("a.dcm", "bits", as_type(np.uint8, dicom(bits=1))),
    "rgb dicom": ("a.dicom", "rgb", dicom()),
    "planar rgb dicom": ("a.dcm", "rgb", dicom(PlanarConfiguration=1)),
    "palette dicom": ("a.dcm", "six colours", dicom_palette),
    "monochrome1 dicom": (
        "a.dcm",
        "grey",
        lambda p, a: dicom(PhotometricInterpretation="MONOCHROME1")(p, 255 - a),
    ),
    "12-bit dicom that states its window": (
        "a.dcm",
        "12 bits",
        dicom(bits=12, WindowCenter=[2048, 40], WindowWidth=[4096, 80]),
    ),
    "12-bit dicom with an exact window": (
        "a.dcm",
        "12 bits",
        dicom(bits=12, WindowCenter=2047.5, WindowWidth=4095, VOILUTFunction="LINEAR_EXACT"),
    ),
    "12-bit dicom with an overlay in its high bits": (
        "a.dcm",
        "12 bits",
        lambda p, a: dicom(bits=12)(p, a | np.uint16(0xA000)),
        {"window": (0, 4095)},
    ),
    "16-bit dicom": ("a.dcm", "deep grey", dicom(bits=16), {"window": (0, 65535)}),
    "16-bit monochrome1 dicom": (
        "a.dcm",
        "deep grey",
        lambda p, a: dicom(bits=16, PhotometricInterpretation="MONOCHROME1")(p, 65535 - a),
        {"window": (0, 65535)},
    ),
    "signed dicom": ("a.dcm", "units", dicom(bits=16), UNITS),
    "signed 13-bit dicom": (
        "a.dcm",
        "units",
        lambda p, a: dicom(bits=13)(p, a & np.int16(0x1FFF)),
        UNITS,
    ),
    "dicom with rescale": (
        "a.dcm",
        "units",
        shifted(dicom(bits=12, RescaleSlope=1, RescaleIntercept=-1024), 1024, np.uint16),
        UNITS,
    ),
    "signed dicom with rescale and window": (
        "a.dcm",
        "units",
        shifted(
            dicom(
                bits=16, RescaleSlope=1, RescaleIntercept=-24, WindowCenter=100.5, WindowWidth=401
            ),
            24,
            np.int16,
        ),
    ),
    "multi-frame dicom": ("a.dcm", "grey", dicom(frames=3), {"plane": (0, 1)}),
    "multi-frame rgb dicom": ("a.dcm", "rgb", dicom(frames=3), {"plane": (0, 1)}),
    "run-length dicom": ("a.dcm", "grey", dicom(syntax="1.2.840.10008.1.2.5", encode=run_lengths)),
    "run-length 12-bit dicom of frames": (
        "a.dcm",
        "12 bits",
        dicom(bits=12, frames=3, syntax="1.2.840.10008.1.2.5", encode=run_lengths),
        {"plane": (0, 1), "window": (0, 4095)},
    ),
    "jpeg 2000 dicom": (
        "a.dcm",
        "grey",
        dicom(syntax="1.2.840.10008.1.2.4.90", encode=jpeg_2000),
    ),
    "uint8 nifti": ("a.nii", "grey", nifti(), {"plane": (2, 1)}),
    "uint8 nifti, compressed": ("a.nii.gz", "grey", nifti(), {"plane": (2, 1)}),
    "upper-case nifti": ("a.NII.GZ", "grey", nifti(), {"plane": (2, 1)}),
    "nifti along axis 0": ("a.nii", "grey", nifti(axis=0), {"plane": (0, 1)}),
    "nifti along axis 1": ("a.nii.gz", "grey", nifti(axis=1), {"plane": (1, 1)}),
    "int16 nifti": ("a.nii", "units", nifti(), {"plane": (2, 1), **UNITS}),
    "int16 nifti, compressed": ("a.nii.gz", "units", nifti(), {"plane": (2, 1), **UNITS}),
    "big-endian nifti": ("a.nii", "units", nifti(dtype=">i2"), {"plane": (2, 1), **UNITS}),
    "float nifti to 1": ("a.nii.gz", "float to 1", nifti(), {"plane": (2, 1)}),
    "float nifti to 255": ("a.nii", "float to 255", nifti(), {"plane": (2, 1)}),
    "float64 nifti": ("a.nii", "units", nifti(dtype=np.float64), {"plane": (2, 1), **UNITS}),
    "nifti with slope and intercept": (
        "a.nii",
        "units",
        lambda p, a: nifti(slope=(0.5, -1024))(p, ((a.astype(int) + 1024) * 2).astype(np.int16)),
        {"plane": (2, 1), **UNITS},
    ),
}


@pytest.mark.parametrize("shape", SHAPES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("case", IMAGES)
def test_image_reads_as_what_was_written(case, shape, tmp_path):
    name, kind, write, *options = IMAGES[case]
    options = dict(*options)
    path = tmp_path / name
    truth, expected = TRUTHS[kind](shape)
    write(path, truth)
    image = read_image(path, channels=3, **options)
    assert image.dtype == expected.dtype
    np.testing.assert_allclose(image, expected, rtol=3e-7, atol=2e-5)  # float32's last digits
    assert image.dtype != np.uint8 or np.array_equal(image, expected)
    assert image.flags.c_contiguous
    assert image.flags.writeable
    assert read_header(path, options.get("plane"))[:3] == (*shape, 1)


LABELS = {"a": 1, "b": 2, "c": 5}
MASKS = {
    "grey png": ("a.png", pillow()),
    "4-bit grey png": ("a.png", png(4, 0)),
    "palette png": ("a.png", palette),
    "rgb png": ("a.png", thrice(opencv)),
    "rgba png": ("a.png", thrice(opaque(pillow()))),
    "16-bit png": ("a.png", as_type(np.uint16, opencv)),
    "bmp": ("a.bmp", pillow()),
    "24-bit bmp": ("a.bmp", thrice(opencv)),
    "grey gif": ("a.gif", pillow()),
    "tiff": ("a.tif", tiff()),
    "lzw tiff": ("a.tif", pillow(compression="tiff_lzw")),
    "palette tiff": ("a.tif", palette),
    "16-bit tiff": ("a.tif", as_type(np.uint16, tiff())),
    "32-bit tiff": ("a.tif", as_type(np.int32, tiff())),
    "float tiff": ("a.tif", as_type(np.float32, tiff())),
    "npy": ("a.npy", as_type(np.int64, npy)),
    "8-bit dicom": ("a.dcm", dicom()),
    "16-bit dicom": ("a.dcm", as_type(np.uint16, dicom(bits=16))),
    "dicom with rescale": ("a.dcm", dicom(RescaleSlope=1, RescaleIntercept=0)),
    "shifted dicom": (
        "a.dcm",
        shifted(dicom(bits=16, RescaleSlope=1, RescaleIntercept=-1024), 1024, np.uint16),
    ),
    "dicom that states a window": ("a.dcm", dicom(WindowCenter=2, WindowWidth=4)),
    "multi-frame dicom": ("a.dcm", dicom(frames=3), (0, 1)),
    "run-length dicom": ("a.dcm", dicom(syntax="1.2.840.10008.1.2.5", encode=run_lengths)),
    "uint8 nifti": ("a.nii", nifti(), (2, 1)),
    "int16 nifti, compressed": ("a.nii.gz", as_type(np.int16, nifti()), (2, 1)),
    "float nifti": ("a.nii", as_type(np.float32, nifti()), (2, 1)),
    "float64 nifti along axis 0": ("a.nii.gz", as_type(np.float64, nifti(axis=0)), (0, 1)),
    "shifted nifti": ("a.nii", shifted(nifti(slope=(1, 1)), -1, np.int16), (2, 1)),
}


@pytest.mark.parametrize("shape", SHAPES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("case", MASKS)
def test_one_truth_gives_the_same_indices_in_every_format(case, shape, tmp_path):
    name, write, *plane = MASKS[case]
    plane = plane[0] if plane else None
    path = tmp_path / name
    truth = np.random.default_rng(2).choice(np.array([0, 1, 2, 5], np.uint8), shape)
    write(path, truth)
    values, lossy = read_mask(path, plane=plane)
    assert not lossy
    indices = to_indices(values, lossy=lossy, classes=LABELS, ignore_value=None, path=path)
    assert indices.dtype == np.uint8
    assert np.array_equal(indices, np.array([0, 1, 2, 0, 0, 3], np.uint8)[truth])


def jpeg(path, a):
    Image.fromarray(a).save(path, quality=95, subsampling=0)


BINARY = {
    "1-bit png": ("a.png", as_type(bool, pillow())),
    "2-bit png": ("a.png", png(2, 0)),
    "1-bit bmp": ("a.bmp", as_type(bool, pillow())),
    "1-bit group 4 tiff": ("a.tif", as_type(bool, pillow(compression="group4"))),
    "bool npy": ("a.npy", as_type(bool, npy)),
    "palette png": ("a.png", palette),
    "0 and 255": ("a.png", lambda path, a: opencv(path, a * np.uint8(255))),
    "jpeg": ("a.jpg", lambda path, a: jpeg(path, a * np.uint8(255))),
    "colour jpeg": ("a.jpg", thrice(lambda path, a: jpeg(path, a * np.uint8(255)))),
    "1-bit dicom": ("a.dcm", dicom(bits=1)),
    "0 and 255 in a nifti": ("a.nii.gz", lambda path, a: nifti()(path, a * np.uint8(255)), (2, 1)),
}


@pytest.mark.parametrize("shape", SHAPES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("case", BINARY)
def test_one_binary_truth_gives_the_same_indices_in_every_format(case, shape, tmp_path):
    name, write, *plane = BINARY[case]
    path = tmp_path / name
    truth = np.zeros(shape, np.uint8)
    truth[shape[0] // 3 :, shape[1] // 3 : shape[1] * 2 // 3 + 1] = 1
    write(path, truth)
    values, lossy = read_mask(path, plane=plane[0] if plane else None)
    assert lossy == (path.suffix == ".jpg")
    indices = to_indices(values, lossy=lossy, classes=None, ignore_value=None, path=path)
    assert np.array_equal(indices, truth)
