# SPDX-License-Identifier: GPL-2.0-or-later
"""talk.py LOG PROGRAM VERB NAME EXPECT SEND [EXPECT SEND]...

Runs PROGRAM VERB NAME on a terminal, waits for each EXPECT and then types SEND ("-": nothing).
Exit status 0 when all was seen and the program ended with 0.
"""
import os
import pty
import select
import sys
import time

log, argv, talk = sys.argv[1], sys.argv[2:5], sys.argv[5:]
out = open(log, "wb", buffering=0)
pid, fd = pty.fork()
if pid == 0:
    os.execv(argv[0], argv)
seen = b""
everything = b""


def read(seconds):
    global seen, everything
    if not select.select([fd], [], [], seconds)[0]:
        return True
    try:
        data = os.read(fd, 65536)
    except OSError:
        return False
    seen += data
    everything += data
    out.write(data)
    return bool(data)


def fail(text):
    sys.stdout.write("# %s; seen: %r\n" % (text, everything[-600:]))
    os.close(fd)
    os.kill(pid, 9)
    sys.exit(1)


end = time.time() + 40
# the program says something when it has set its terminal up
while b"\n" not in everything and b"\x1b" not in everything:
    if not read(0.1) or time.time() > end:
        fail("it ended at once")
for expect, send in zip(talk[::2], talk[1::2]):
    expect = expect.encode()
    while expect != b"-" and expect not in seen:
        if not read(0.1):
            fail("it ended before %r" % expect)
        if time.time() > end:
            fail("no %r" % expect)
    seen = seen.split(expect, 1)[1] if expect != b"-" else b""
    if send != "-":
        time.sleep(0.1)
        os.write(fd, send.encode().decode("unicode_escape").encode())
while read(0.5):
    if time.time() > end:
        fail("it did not end")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
