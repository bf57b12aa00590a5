"""Reads every file of a folder as Python would, and compares it with `expected.json` there.

    python read.py FOLDER

Prints the names that were skipped because a package is missing; fails on anything that reads differently.
"""

import json
import pickle
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

MISSING = {name for name in ("msgpack", "zstandard", "lz4") if find_spec(name) is None}


def main(folder):
    expected = json.loads((folder / "expected.json").read_bytes())
    for file in sorted(folder.iterdir()):
        kind = file.suffix[1:]
        if {"zstd": "zstandard"}.get(kind, kind) in MISSING:
            print("SKIPPED", file.name)
            continue
        # Whatever JSON cannot tell apart (tuples and lists) may differ.
        value = json.loads(json.dumps(decode(file.name, file.read_bytes())))
        assert value == expected, f"{file.name} reads differently"
        print("read", file.name)


def decode(name, content):
    if name.endswith(".pickle"):
        protocol = int(name.split(".")[1])
        assert content[:2] == bytes([0x80, protocol]), f"{name} has another protocol"
        return pickle.loads(content)
    if name.endswith(".msgpack"):
        import msgpack

        return msgpack.unpackb(content)
    if name.endswith(".zlib"):
        return decode(name.removesuffix(".zlib"), zlib.decompress(content))
    if name.endswith(".zstd"):
        import zstandard

        # Refuses frames without their content's size.
        return decode(name.removesuffix(".zstd"), zstandard.ZstdDecompressor().decompress(content))
    if name.endswith(".lz4"):
        import lz4.frame

        return decode(name.removesuffix(".lz4"), lz4.frame.decompress(content))
    return json.loads(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
