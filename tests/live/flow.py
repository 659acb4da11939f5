#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One TCP connection between the node and the network of a VPS, as fast as it goes.

    flow.py in|out PID ADDRESS SECONDS

ADDRESS is the VPS's, PID a process in its network: the node connects, as no VPS may connect to
the node.  Prints what the receiver got, in bits a second: in each half second, a line each, then "mean N" of the whole
but its first quarter.  Fails when the connection broke.
"""
import ctypes
import os
import socket
import sys
import time

BLOCK = bytes(262144)
CLONE_NEWNET = 0x40000000


def send(peer, end):
    try:
        while time.monotonic() < end:
            peer.send(BLOCK)
    except (socket.timeout, ConnectionError):
        # the receiver has had enough, or says itself that it has not
        pass


def receive(peer, seconds):
    began = time.monotonic()
    marks = [(0.0, 0)]
    total = 0
    half = 0.5
    while True:
        got = len(peer.recv(1 << 20))
        now = time.monotonic() - began
        total += got
        if now >= half or not got:
            marks.append((now, total))
            print(int((marks[-1][1] - marks[-2][1]) * 8 / (marks[-1][0] - marks[-2][0])), flush=True)
            half = now + 0.5
        if now >= seconds or not got:
            break
    # slow start, and what is let through at once, is not in it
    skip = next((mark for mark in marks if mark[0] >= seconds / 4), marks[0])
    print("mean", int((total - skip[1]) * 8 / (now - skip[0])))
    if now < seconds * 0.9:
        sys.exit("the connection ended after %.1f s" % now)


def enter(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/%s/ns/net" % pid) as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) < 0:
            sys.exit("setns: " + os.strerror(ctypes.get_errno()))


def work(peer, way, mine, seconds):
    peer.settimeout(10)
    if way == mine:
        receive(peer, seconds)
    else:
        send(peer, time.monotonic() + seconds + 1)
    peer.close()
    sys.stdout.flush()


def main(way, pid, address, seconds):
    ready, listening = os.pipe()
    if os.fork() == 0:
        enter(pid)
        listener = socket.create_server((address, 0))
        os.write(listening, b"%d" % listener.getsockname()[1])
        listener.settimeout(10)
        work(listener.accept()[0], way, "in", seconds)
        os._exit(0)
    os.close(listening)
    port = os.read(ready, 16)
    if not port:
        sys.exit("nobody listens")
    work(socket.create_connection((address, int(port)), 10), way, "out", seconds)
    if os.wait()[1]:
        sys.exit("the other end failed")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
