"""Writes the files beside it: the same document in every format, as Python writes it.

    pip install msgpack zstandard lz4
    python write.py

The output is the same on every run and every CPython since 3.8. `serializers.rs` reads all of it.
"""

import datetime
import json
import pickle
import zlib
from collections import namedtuple
from pathlib import Path

import lz4.frame
import msgpack
import zstandard

HERE = Path(__file__).parent

# Everything plain that a cached value is made of, with the edges of each width.
DOCUMENT = {
    "none": None,
    "true": True,
    "false": False,
    "integers": [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63), 2**64 - 1],
    "floats": [0.0, -0.5, 1.5, 1e300],
    "text": "Häher \U0001f426 \\ \"quoted\" \n",
    "long": "scrub jay " * 1000,
    "empty": ["", [], {}],
    "tuple": [1, "a"],
    "nested": {"a": {"b": [{"c": 1}]}},
    "again": ["the same text", "the same text"],
}

# What JSON has no words for.
RICH = {**DOCUMENT, "tuple": (1, "a"), "bytes": bytes(range(256)), "short": b"\xff\x00", "nothing": b""}


def main():
    text = json.dumps(DOCUMENT).encode()
    write("document.json", text)
    write("document.msgpack", msgpack.packb(RICH))
    for protocol in range(6):
        write(f"document.{protocol}.pickle", pickle.dumps(RICH, protocol))
        sets = {
            "set": {3},
            "frozen": frozenset({"a"}),
            "bytearray": bytearray(b"\xff\x00"),
            "numbers": {1: "one", -2: "minus two"},
        }
        write(f"sets.{protocol}.pickle", pickle.dumps(sets, protocol))
        write(f"datetime.{protocol}.pickle", pickle.dumps({"at": datetime.datetime(2020, 2, 29)}, protocol))
        write(f"instance.{protocol}.pickle", pickle.dumps(Jay("blue"), protocol))
        write(f"namedtuple.{protocol}.pickle", pickle.dumps(Point(1, 2), protocol))
    for level in (0, 1, 9):
        write(f"document.{level}.json.zlib", zlib.compress(text, level))
    write("document.json.zstd", zstandard.ZstdCompressor().compress(text))
    # As a stream: without the content's size.
    write("document.stream.json.zstd", stream(text))
    write("document.json.lz4", lz4.frame.compress(text))
    write("document.linked.json.lz4", lz4.frame.compress(text, store_size=False, block_linked=True))


def stream(text):
    compressor = zstandard.ZstdCompressor(level=19).compressobj()
    return compressor.compress(text) + compressor.flush()


def write(name, content):
    (HERE / name).write_bytes(content)


class Jay:
    def __init__(self, colour):
        self.colour = colour


Point = namedtuple("Point", "x y")

if __name__ == "__main__":
    main()
