#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile frames, and who sees them.

frames.py send MAC OWN4 OWN6 OTHER4 [KIND...]   in the network namespace of a VPS: each kind three
                                                times, or only these
frames.py watch INTERFACE                       until SIGTERM: then the kinds that came by there, a
                                                line each with how often
frames.py kinds                                 KIND REASON: which counter of the guard each belongs to
"""
import signal
import socket
import struct
import sys
import time

MARK = b"nodectl-hostile:"
BROADCAST = b"\xff" * 6
ROUTERS = bytes.fromhex("333300000001")


def marked(kind):
    return MARK + kind.encode().ljust(16, b".")


def ipv4(own, proto, payload, fragment=0, options=b"", to="255.255.255.255"):
    size = 20 + len(options) + len(payload)
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | (5 + len(options) // 4), 0, size, 1, fragment, 64,
                       proto, 0, socket.inet_aton(own), socket.inet_aton(to))
    words = struct.unpack("!%dH" % ((len(head) + len(options)) // 2), head + options)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    # a bridge that lets iptables look drops what has another
    check = struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)
    return head[:10] + check + head[12:] + options + payload


def ipv6(own, following, payload, to="ff02::1"):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), following, 255,
                       socket.inet_pton(socket.AF_INET6, own),
                       socket.inet_pton(socket.AF_INET6, to)) + payload


def frames(mac, own4, own6, other4):
    """KIND: (reason, frame); each bears its kind's name."""
    me = bytes.fromhex(mac.replace(":", ""))
    foreign = bytes.fromhex("02aabbccddee")
    six = lambda kind, following, payload, own=own6: eth(0x86DD, ipv6(own, following, payload + marked(kind)))

    def eth(kind, payload, source=me, to=BROADCAST):
        return to + source + struct.pack("!H", kind) + payload

    def udp(kind, source=1000, to=1000):
        return struct.pack("!HHHH", source, to, 8 + 32, 0) + marked(kind)

    def arp(op, sha, spa, tpa):
        return struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, op, sha, socket.inet_aton(spa), BROADCAST,
                           socket.inet_aton(tpa))

    address = lambda text: socket.inet_pton(socket.AF_INET6, text)
    na = lambda target, mac: struct.pack("!BBHI16sBB6s", 136, 0, 0, 0x20000000, address(target), 2, 1, mac)
    ns = lambda target, mac: struct.pack("!BBHI16sBB6s", 135, 0, 0, 0, address(target), 1, 1, mac)
    # an option that nobody knows carries the mark, as all of neighbour discovery must be options
    tail = lambda kind: struct.pack("!BB6s", 200, 5, b"") + marked(kind)
    gateway = other4
    return {
        "good": (None, eth(0x800, ipv4(own4, 17, udp("good")))),
        "mac": ("mac", eth(0x800, ipv4(own4, 17, udp("mac")), source=foreign)),
        "control": ("control", eth(0x800, ipv4(own4, 17, udp("control")), to=bytes.fromhex("0180c2000000"))),
        "vlan": ("vlan", eth(0x8100, struct.pack("!HH", 5, 0x800) + ipv4(own4, 17, udp("vlan")))),
        "qinq": ("vlan", eth(0x88A8, struct.pack("!HHHH", 5, 0x8100, 6, 0x800) + ipv4(own4, 17, udp("qinq")))),
        "lldp": ("ethertype", eth(0x88CC, marked("lldp"))),
        "llc": ("ethertype", eth(60, b"\x42\x42\x03" + marked("llc") + b"\0" * 25)),
        "mpls": ("ethertype", eth(0x8847, b"\0\1\1\x40" + ipv4(own4, 17, udp("mpls")))),
        "arp-ip": ("arp", eth(0x806, arp(2, me, gateway, own4) + marked("arp-ip"))),
        "arp-mac": ("arp", eth(0x806, arp(2, foreign, own4, own4) + marked("arp-mac"))),
        "arp-probe": ("arp", eth(0x806, arp(1, me, "0.0.0.0", gateway) + marked("arp-probe"))),
        "spoof4": ("ipv4", eth(0x800, ipv4(other4, 17, udp("spoof4")))),
        "spoof-zero": ("ipv4", eth(0x800, ipv4("0.0.0.0", 17, udp("spoof-zero", 68, 67)))),
        "spoof6": ("ipv6", six("spoof6", 17, struct.pack("!HHHH", 1, 1, 40, 0), "2001:db8:bad::1")),
        "spoof-local": ("ipv6", six("spoof-local", 17, struct.pack("!HHHH", 1, 1, 40, 0), "fe80::1")),
        "lsrr": ("options", eth(0x800, ipv4(own4, 17, udp("lsrr"), options=b"\x83\x07\x04\1\2\3\4\0"))),
        "routing0": ("options", six("routing0", 43, struct.pack("!BBBBI", 17, 0, 0, 0, 0))),
        "headers": ("options", six("headers", 60, b"".join(struct.pack("!BB6s", 60, 0, b"\1\4") for _ in range(9)))),
        "tiny": ("fragment", eth(0x800, ipv4(own4, 6, b"", 0x2000) + marked("tiny"))),
        "tiny6": ("fragment", eth(0x86DD, ipv6(own6, 44, struct.pack("!BBHI", 60, 0, 1, 1)) + marked("tiny6"))),
        "na": ("neighbour", six("na", 58, na("fe80::1", me) + tail("na")[:8])),
        "na-mac": ("neighbour", six("na-mac", 58, na(own6, foreign) + tail("na-mac")[:8])),
        "ns-mac": ("neighbour", six("ns-mac", 58, ns("fe80::1", foreign) + tail("ns-mac")[:8])),
        "na-fragment": ("neighbour", six("na-fragment", 44, struct.pack("!BBHI", 58, 0, 0, 1) + na(own6, me))),
        "ra": ("router", six("ra", 58, struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0))),
        "ra-hidden": ("router", six("ra-hidden", 0, struct.pack("!BB6s", 60, 0, b"\1\4") + struct.pack("!BB6s", 58, 0, b"\1\4")
                                    + struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0))),
        "redirect": ("router", eth(0x800, ipv4(own4, 1, b"\x05\x01\0\0\0\0\0\0" + marked("redirect")))),
        "redirect6": ("router", six("redirect6", 58, struct.pack("!BBHI", 137, 0, 0, 0))),
        "dhcp": ("dhcp", eth(0x800, ipv4(own4, 17, udp("dhcp", 67, 68)))),
        "dhcp6": ("dhcp", six("dhcp6", 17, struct.pack("!HHHH", 547, 546, 40, 0))),
        "igmp": ("query", eth(0x800, ipv4(own4, 2, b"\x11\x64\0\0\0\0\0\0" + marked("igmp")))),
        "mld": ("query", six("mld", 58, struct.pack("!BBHI", 130, 0, 0, 0))),
        "smtp": ("smtp", eth(0x800, ipv4(own4, 6, struct.pack("!HHIIBBHHH", 1025, 25, 1, 0, 0x50, 2, 99, 0, 0) + marked("smtp")))),
        "smtp6": ("smtp", six("smtp6", 60, struct.pack("!BB6s", 6, 0, b"\1\4")
                             + struct.pack("!HHIIBBHHH", 1025, 25, 1, 0, 0x50, 2, 99, 0, 0))),
        "short": ("malformed", eth(0x800, b"\x45\0\0\x10" + b"\0" * 16 + marked("short"))),
    }


def send(mac, own4, own6, other4, *kinds):
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind(("eth0", 0))
    for kind, (_, frame) in frames(mac, own4, own6, other4).items():
        if kinds and kind not in kinds:
            continue
        for _ in range(3):
            out.send(frame)
        # broadcasts have a rate of their own
        time.sleep(0.03)


def watch(interface):
    seen = {}
    ended = []
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    listener.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    listener.bind((interface, 0))
    listener.settimeout(0.1)
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    print("ready", flush=True)
    while True:
        try:
            frame = listener.recv(65536)
        except socket.timeout:
            if ended:
                break
            continue
        at = frame.find(MARK)
        if at >= 0:
            kind = frame[at + len(MARK):at + len(MARK) + 16].rstrip(b".").decode(errors="replace")
            seen[kind] = seen.get(kind, 0) + 1
    for kind in sorted(seen):
        print(kind, seen[kind])


if sys.argv[1] == "send":
    send(*sys.argv[2:])
elif sys.argv[1] == "watch":
    watch(*sys.argv[2:])
else:
    for name, (reason, _) in frames("02:00:00:00:00:00", "10.0.0.1", "fd00::1", "10.0.0.2").items():
        print(name, reason)
