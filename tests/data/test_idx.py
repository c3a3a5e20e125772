import gzip
import struct

import numpy as np
import pytest

from align.data import DataError, idx

IMAGES = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)


def test_parse_reads_the_published_layout_byte_by_byte():
    data = b"\x00\x00\x08\x03" + struct.pack(">III", 2, 1, 3) + bytes([1, 2, 3, 250, 251, 252])
    np.testing.assert_array_equal(idx.parse(data, rank=3, where="f"), [[[1, 2, 3]], [[250, 251, 252]]])


@pytest.mark.parametrize("array", [IMAGES, np.arange(7, dtype=np.uint8)])
def test_encode_is_undone_by_parse(array):
    np.testing.assert_array_equal(idx.parse(idx.encode(array), rank=array.ndim, where="f"), array)


@pytest.mark.parametrize(
    ("data", "rank", "message"),
    [
        (idx.encode(IMAGES[:, 0, 0]), 3, r"here should hold images .*, but it holds labels"),
        (idx.encode(IMAGES), 1, r"here should hold labels .*, but it holds images"),
        (b"\x89PNG" + bytes(20), 3, r"magic number 0x00000803\), but its magic number is 0x89504e47"),
        (b"\x00\x00\x0d\x03" + bytes(20), 3, r"its magic number is 0x00000d03"),
        (b"", 3, r"its magic number is 0x\(empty\)"),
        (b"\x00\x00\x08", 3, r"its magic number is 0x000008$"),
        (idx.encode(IMAGES)[:10], 3, r"ends within its header: 10 bytes, expected 16"),
        (idx.encode(IMAGES)[:-1], 3, r"has 1583 bytes, but its header says 1584 \(shape \(2, 28, 28\)\)"),
        (idx.encode(IMAGES) + b"\x00", 3, r"has 1585 bytes, but its header says 1584"),
    ],
)
def test_parse_says_what_came_and_what_was_expected(data, rank, message):
    with pytest.raises(DataError, match=message):
        idx.parse(data, rank=rank, where="here")


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_read_goes_by_the_content_not_the_suffix(tmp_path, suffix, pack):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(pack(idx.encode(IMAGES)))
    assert idx.read(path) == idx.encode(IMAGES)


@pytest.mark.parametrize("kept", [3, 12, 200, -9, -1])
def test_read_refuses_a_truncated_gzip(tmp_path, kept):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(idx.encode(IMAGES))[:kept])
    with pytest.raises(DataError, match=r"file\.gz is a truncated or damaged gzip file"):
        idx.read(path)


@pytest.mark.parametrize("position", [100, -6])
def test_read_refuses_a_damaged_gzip(tmp_path, position):
    packed = bytearray(gzip.compress(idx.encode(IMAGES)))
    packed[position] ^= 0xFF
    path = tmp_path / "file.gz"
    path.write_bytes(packed)
    with pytest.raises(DataError, match="truncated or damaged gzip file"):
        idx.read(path)


def test_read_names_the_file_it_cannot_read(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*absent: No such file"):
        idx.read(tmp_path / "absent")
