#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person types into `make node-shell`: the terminal is a real one, and each answer is read
as it comes.  SLOW is how many times longer than usual it may take."""

import os
import pty
import re
import select
import signal
import sys
import time

PATIENCE = 200 * int(os.environ.get("SLOW", "4"))
PROMPT = r"root@node-in-a-box:~# $"
SHELL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shell.sh")
counts = {"passed": 0, "failed": 0}


def tell(name, good, said=""):
    counts["passed" if good else "failed"] += 1
    print(("ok - " if good else "not ok - ") + "node-shell: " + name, flush=True)
    if not good:
        for line in said.splitlines()[-20:]:
            print("# " + line)
    return good


class Terminal:
    def __init__(self, *command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.came = b""

    @property
    def text(self):
        """What came, without what only colours it.  All of it at once: one read may end in the
        middle of a colour, or of a character."""
        return re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]|\r", "", self.came.decode(errors="replace"))

    def read(self, seconds):
        """Whether somebody can write still."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.came += data
        return bool(data)

    def until(self, pattern):
        """Whether it says so in time."""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text):
            if not self.read(max(0.0, min(1.0, end - time.monotonic()))) or time.monotonic() > end:
                return False
        return True

    def types(self, line):
        self.came = b""
        os.write(self.fd, line.encode() + b"\r")

    def ended(self):
        """Its exit status, None when it goes on."""
        end = time.monotonic() + PATIENCE
        while self.read(0.2) and time.monotonic() < end:
            pass
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.1)
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)
        return None


def main():
    shell = Terminal("bash", SHELL)
    if not tell("it boots, and gives a root shell without a password", shell.until(PROMPT), shell.text):
        os.kill(shell.pid, signal.SIGTERM)
        os.waitpid(shell.pid, 0)
        return
    for line, name, answer in (
        ("nodectl list", "nodectl is set up there", r"NAME +.*\n(.*\n)*.*" + PROMPT),
        ("nodectl create tried --image debian-12 --start", "a VPS can be made and started", r"tried: started\n(.*\n)*.*" + PROMPT),
        ("nodectl exec tried -- hostname; tty", "and used, on the console", r"\ntried\n/dev/ttyS0\n(.*\n)*.*" + PROMPT),
        ("stat -f -c %T /sys/fs/cgroup", "on cgroup v2", r"cgroup2fs\n(.*\n)*.*" + PROMPT),
    ):
        shell.types(line)
        tell(name, shell.until(answer), shell.text)
    shell.types("poweroff")
    status = shell.ended()
    tell("poweroff ends it, and the command with it", status == 0, "exit %s\n%s" % (status, shell.text))


main()
print("%d passed, %d failed" % (counts["passed"], counts["failed"]))
sys.exit(counts["failed"] != 0)
