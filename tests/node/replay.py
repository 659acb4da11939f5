#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a disk held at any of its flushes: the log of QEMU's blklogwrites (the format is that of
Linux' dm-log-writes) is written to an image, up to where one wants.

    replay.py flushes LOG               the number of each entry that is a flush
    replay.py apply LOG IMAGE FROM TO   entries FROM up to, but not including, TO
    replay.py some LOG IMAGE FROM TO SEED
                                        the same, but each write is there or not: what a disk
                                        with a cache may hold between two flushes
"""
import random
import struct
import sys

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


def entries(path):
    """(number, first byte, length, flags, where its data begins in the log)"""
    with open(path, "rb") as log:
        magic, version, count, sector = struct.unpack("<QQQL", log.read(28))
        if magic != MAGIC or version != 1:
            sys.exit(f"{path}: it is no log of writes")
        at = sector
        for number in range(count):
            log.seek(at)
            first, sectors, flags, _ = struct.unpack("<QQQQ", log.read(32))
            at += sector
            yield number, first * sector, sectors * sector, flags, at
            if not flags & DISCARD:
                at += sectors * sector


def apply(path, image, begin, end, chance=None):
    with open(path, "rb") as log, open(image, "r+b") as disk:
        for number, first, length, flags, at in entries(path):
            if number >= end:
                break
            if number < begin or not length or flags & MARK:
                continue
            # what is written through is there; all else may be in the disk's cache only
            if chance and not flags & FUA and chance.random() < 0.5:
                continue
            disk.seek(first)
            if flags & DISCARD:
                # its content is undefined from now on
                disk.write(b"\xdb" * length if length <= 1 << 20 else b"")
                continue
            log.seek(at)
            disk.write(log.read(length))


def main():
    what, log = sys.argv[1:3]
    if what == "flushes":
        for number, _, _, flags, _ in entries(log):
            if flags & FLUSH:
                print(number)
        return
    image, begin, end = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    apply(log, image, begin, end, random.Random(sys.argv[6]) if what == "some" else None)


main()
