"""Writes synsets.mat: six synsets in a MATLAB file of level 5, after the format's documentation ("MAT-File Format", MathWorks)."""

import struct
import sys
import zlib

INT8, UINT8, UINT16, INT32, UINT32, MATRIX, COMPRESSED = 1, 2, 4, 5, 6, 14, 15
STRUCT, CHAR, UINT8_CLASS = 2, 4, 9


def element(kind, data):
    if 0 < len(data) <= 4:  # the short form
        return struct.pack("<HH", kind, len(data)) + data.ljust(4, b"\0")
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(kind, dimensions, name, content):
    flags = element(UINT32, struct.pack("<II", kind, 0))
    dimensions = element(INT32, struct.pack(f"<{len(dimensions)}i", *dimensions))
    inside = flags + dimensions + element(INT8, name) + content
    return struct.pack("<II", MATRIX, len(inside)) + inside


def value(thing):
    if isinstance(thing, str):
        text = thing.encode("utf-16-le")
        return matrix(CHAR, (1, len(thing)), b"", element(UINT16, text))
    return matrix(UINT8_CLASS, (1, 1), b"", element(UINT8, bytes([thing])))


FIELDS = ("ILSVRC2012_ID", "WNID", "words", "num_children")
SYNSETS = [
    (1, "n02119789", "kit fox, Vulpes macrotis", 0),
    (2, "n02100735", "English setter", 0),
    (3, "n01440764", "tench, Tinca tinca", 0),
    (4, "n02012849", "crane", 0),
    (5, "n03126707", "crane", 0),
    (6, "n00001740", "entity", 2),
]

names = b"".join(name.encode().ljust(32, b"\0") for name in FIELDS)
fields = element(INT32, struct.pack("<i", 32)) + element(INT8, names)
rows = b"".join(value(field) for synset in SYNSETS for field in synset)
table = matrix(STRUCT, (len(SYNSETS), 1), b"synsets", fields + rows)
squeezed = zlib.compress(table)
with open(sys.argv[1], "wb") as file:
    file.write(b"MATLAB 5.0 MAT-file".ljust(116) + b"\0" * 8 + struct.pack("<H", 0x0100) + b"IM")
    file.write(struct.pack("<II", COMPRESSED, len(squeezed)) + squeezed)
