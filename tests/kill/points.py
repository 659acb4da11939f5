#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""points.py [OPTION...] OPERATION...: let one system call of an operation go wrong, each in turn.

For N = 1, 2… the operation is run by `at` (at.c), which kills at the N-th call, or lets that call
fail; or with alloc.c, by which the N-th allocation gets no memory.  Then `nodectl repair` is run, and asked of the node:

  - the VPS is as before the operation or as after it, and nothing else; and what said that it
    is done was, before anything was repaired;
  - `repair --dry-run` has nothing to say;
  - what there is of the VPS (groups, links, mounts, loop devices, processes, files, leases) is what
    there is of any VPS in that state;
  - the neighbour runs on, with the same init.

Of every operation a line: ok or not ok, points tried and failed.  The environment names the node
(tests/live/lib.sh): NODECTL, NODECTL_CONFIG, STORAGE, RUN, BIN, WORK."""
import argparse
import errno
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

NODECTL, STORAGE, RUN, BIN, WORK, AT = (os.environ[name] for name in
                                        ("NODECTL", "STORAGE", "RUN", "BIN", "WORK", "AT"))
SLOW = int(os.environ.get("SLOW", "1"))  # an emulated machine takes so many times as long
# x86-64, as at.c: these are asked for by name, and the rest is there where headers are.
CALLS = {0: "read", 1: "write", 8: "lseek", 16: "ioctl", 257: "openat", 21: "access", 44: "sendto", 45: "recvfrom", 47: "recvmsg", 105: "setuid", 117: "setresuid", 116: "setgroups", 82: "rename", 7: "poll", 46: "sendmsg", 157: "prctl", 262: "newfstatat", 263: "unlinkat", 33: "dup2", 87: "unlink", 72: "fcntl"}
# No ENOENT: that something is not there would be no failure but a lie.
LASTING = "ENOSPC EIO ENOMEM EMFILE EPERM EROFS ENFILE EACCES".split()  # that may last
ERRORS = "ENOSPC EIO ENOMEM EMFILE EINTR EBUSY EPERM EAGAIN EROFS EDQUOT ENFILE EACCES ETIMEDOUT".split()
PASSING = re.compile(r"\.ledger|^network \.last$|^run/.*/\.[a-z]+\.\d+$|^images/names/points$|/(stopped|error|crashes|reboots|unheard|down|returns|running|console\.ring|events(\.1)?|view|started|quota)$")
# of the manual, EXIT STATUS
KINDS = {3, 5, 9, 14, 20, 21, 31, 32, 33, 36, 44, 46, 47, 78, 79, 91, 92, 105, 126, 127, 133}
SHOWN = 6  # failures of an operation that are told of at length


class Trouble(Exception):
    pass


def run(*words, text="", seconds=60):
    """(status, stdout, stderr) of nodectl."""
    try:
        done = subprocess.run([NODECTL, *words], input=text, text=True, errors="replace", capture_output=True,
                              timeout=seconds)
    except subprocess.TimeoutExpired as late:
        raise Trouble("'nodectl %s' hangs" % " ".join(words)) from late
    return done.returncode, done.stdout, done.stderr


def must(*words, **more):
    status, out, err = run(*words, **more)
    if status:
        raise Trouble("'nodectl %s' exits %d: %s" % (" ".join(words), status, (err or out).strip()))
    return out


def eventually(seconds, test):
    end = time.time() + seconds
    while True:
        result = test()
        if result or time.time() > end:
            return result
        time.sleep(0.02)


# ---- what there is

def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


CALLS.update((int(number), name) for name, number in re.findall(
    r"__NR_(\w+) (\d+)", read("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")))


def names(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def groups():
    return sorted({line.split()[1] for line in read("/proc/mounts").splitlines()
                   if line.split()[2] in ("cgroup", "cgroup2")})


def guests_of(number):
    """Processes with a host id of this VPS that have not ended."""
    low = 524288 + number * 65536
    count = 0
    for pid in filter(str.isdigit, names("/proc")):
        try:
            owner = os.stat("/proc/" + pid).st_uid
        except OSError:
            continue
        if low <= owner < low + 65536:
            stat = read("/proc/%s/stat" % pid)
            count += stat.rpartition(")")[2][1:2] not in ("Z", "X", "")
    return count


def ours():
    """Processes of nodectl itself, by program and what they work for."""
    found = []
    for pid in filter(str.isdigit, names("/proc")):
        try:
            program = os.readlink("/proc/%s/exe" % pid)
        except OSError:
            continue
        if program.startswith(BIN + "/nodectl"):
            words = read("/proc/%s/cmdline" % pid).split("\0")
            found.append("process %s %s" % (os.path.basename(program), " ".join(words[1:])[:40]))
    return found


def elements_of(number):
    """Of sets and maps of nftables: each says whose it is."""
    done = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=False)
    return len(re.findall(r'comment "nodectl %d"' % number, done.stdout))


def ways_of(number):
    """Routes to a VPS, and where the node believes its addresses to be for ever, without these."""
    def told(*words):
        return subprocess.run(["ip", "-o", *words], capture_output=True, text=True, check=False).stdout
    mac = "02:6e:64:%02x:%02x:%02x" % (number >> 16, number >> 8 & 255, number & 255)
    found = {"neighbour on %s" % dev for dev in re.findall(r"dev (\S+) lladdr " + mac, told("neigh", "show", "nud", "permanent"))}
    return found | {"route by nv%d" % number for family in "46"
                    if "dev nv%d " % number in told("-" + family, "route", "show", "proto", "110")}


def pins():
    """Of the guards of this network namespace."""
    return names("/sys/fs/bpf/nodectl/%d" % os.stat("/proc/self/ns/net").st_ino)


def things(number):
    """Everything that a VPS with this id has, without what differs between two in the same state."""
    all_of = set()
    for link in re.findall(r"^ *(\S+):", read("/proc/net/dev"), re.M):
        if number and link.endswith(str(number)):
            all_of.add("link " + link)
    for top in groups():
        for parent in names(top):
            if parent.startswith("nodectl") and os.path.isdir("%s/%s/%d" % (top, parent, number)):
                all_of.add("group %s/%s" % (top, parent))
    for loop in names("/sys/block"):
        backing = read("/sys/block/%s/loop/backing_file" % loop).strip()
        if backing.startswith(STORAGE):
            all_of.add("loop " + backing)
    for line in read("/proc/self/mountinfo").splitlines():
        if STORAGE in line or RUN + "/" in line:
            all_of.add("mount " + line.split()[4])
    if guests_of(number):
        all_of.add("processes of the guest")
    all_of.update(ours())
    all_of.update("pin " + pin for pin in pins() if number and str(number) in pin)
    all_of.add("%d addresses" % len(names(STORAGE + "/addresses")))
    all_of.update(trees())
    all_of.add("rcu_expedited " + read("/sys/kernel/rcu_expedited").strip())
    all_of.update("network " + one for one in names(STORAGE + "/networks"))
    all_of.update("plan " + one for one in names(os.path.join(os.path.dirname(os.environ["NODECTL_CONFIG"]), "plans")))
    if number:
        all_of |= ways_of(number)
    if number and elements_of(number):
        all_of.add("elements of nftables")
    for folder in "ids", "vps", "trash", "images/staging", "images/names":
        all_of.update("%s/%s" % (folder, name) for name in names(os.path.join(STORAGE, folder)))
    for vps in names(os.path.join(STORAGE, "vps")):
        all_of.update("vps/%s/%s" % (vps, name) for name in names(os.path.join(STORAGE, "vps", vps)))
    for vps in names(RUN):
        all_of.update("run/%s/%s" % (vps, name) for name in names(os.path.join(RUN, vps)))
    return {one.replace(str(number), "ID") if number else one for one in all_of if not PASSING.search(one)}


def marks():
    """Whether the victim is meant to run."""
    return {what for what, path in (("the mark that it is to run", STORAGE + "/vps/victim/running"),
                                    ("the mark of a shutdown", RUN + "/victim/down")) if os.path.exists(path)}


def start_of(pid):
    return read("/proc/%d/stat" % pid).rpartition(")")[2].split()[19:20]


# ---- the VPSs

class Node:
    def __init__(self):
        run("plan", "remove", "points", "--quiet")
        must("plan", "create", "points", "--memory", "32M", "--disk", "64M", "--quiet")
        must("create", "bystander", "--start", "--quiet", "--wait", "30")
        self.bystander = json.loads(must("show", "bystander", "-j"))["pid"]
        self.bystander_start = start_of(self.bystander)
        self.usual = {}  # state: things
        self.left = 0  # how often repair had to come, where nobody was killed
        self.number = 0  # the victim's, or what it was

    def undisturbed(self):
        return start_of(self.bystander) == self.bystander_start

    def state(self):
        found = re.search(r"^id = (\d+)$", read(STORAGE + "/vps/victim/vps.conf"), re.M)
        if found:
            self.number = int(found.group(1))
        status, out, err = run("status", "victim")
        text = (out + err).strip()
        if "there is no VPS 'victim'" in text:
            return "absent"
        found = re.fullmatch(r"victim (stopped|running|frozen)", text)
        return found.group(1) if found else text

    def prepare(self, wanted):
        now = self.state()
        if now not in ("absent", "stopped", "running", "frozen"):
            raise Trouble("it is: " + now)
        if now == wanted:
            return
        if wanted == "absent":
            must("destroy", "victim", "--force", "--yes", "--quiet")
            return
        if now == "absent":
            must("create", "victim", "--quiet", "--plan", "points")
            now = "stopped"
        if now == "frozen" and wanted != "frozen":
            must("thaw", "victim", "--quiet")
            now = "running"
        if wanted == "stopped" and now != "stopped":
            must("stop", "victim", "--force", "--quiet")
        if wanted in ("running", "frozen") and now == "stopped":
            must("start", "victim", "--quiet")
        if wanted == "frozen":
            must("freeze", "victim", "--quiet")

    def remember(self):
        """What belongs to each state: looked at when nothing has gone wrong yet."""
        for state in "stopped", "running", "frozen", "stopped", "absent":
            self.prepare(state)
            time.sleep(0.3)  # what stop leaves to others
            self.usual[state] = things(self.number) | self.usual.get(state, set())

    def wrong(self, state, operation):
        """More than belongs to that state; and for one that runs, less."""
        now = things(self.number)
        more = now - self.usual[state]
        more = {one for one in more if not one.startswith("process nodectl ") and not operation.passing.search(one)}
        less = {one for one in self.usual[state] - now if re.match("link|group|process", one)}
        if state in ("running", "frozen"):
            less |= {"the mark that it is to run"} - marks()
            more |= marks() & {"the mark of a shutdown"}
        return sorted("left: " + one for one in more) + sorted("missing: " + one for one in less)


# ---- the operations

class Operation:
    text = ""  # its standard input
    passing = re.compile("^$")  # what may be otherwise than it usually is
    status = None  # what it exited with, or minus the signal
    failed = False  # it said so
    out = ""  # what it printed

    def at_once(self):
        """At once, before anything is put in order."""

    def __init__(self, before, after, *words, text="", done=""):
        """@done: what it is when the command says that all is well; else the last of @after."""
        self.before, self.after, self.words, self.text = before, after.split(), words, text
        self.done = done or (self.after or [""])[-1]

    def prepare(self, node):
        node.prepare(self.before)

    def check(self, node, state):
        """What else holds after repair."""

    def take_back(self):
        """What it may have made, where nothing was judged: it would be in the way of others."""


class Stop(Operation):
    """Stopped, it is not to be started by the next boot."""

    def __init__(self, *words):
        super().__init__("running", "stopped", *words)

    def check(self, node, state):
        if state == "stopped" and "the mark that it is to run" in marks():
            raise Trouble("it is stopped, and the next boot would start it")


def trees():
    """Images, by their names, or by what they are where they have none."""
    images = STORAGE + "/images/"
    named = {}
    for name in names(images + "names"):
        named.setdefault(os.path.basename(os.readlink(images + "names/" + name)), []).append(name)
    return {"image " + (" ".join(sorted(named.get(digest, []))) or digest[:12]) for digest in names(images + "sha256")}


class Boot(Operation):
    """What belongs up is started."""

    def prepare(self, node):
        node.prepare("stopped")
        must("set", "victim", "--onboot", "yes", "--quiet")


class Change(Operation):
    """What said that it is done is so in the kernel, before anything is repaired."""

    def at_once(self):
        if self.status == 0:
            status, out, err = run("diff", "victim")
            if status or out:
                raise Trouble("it exits 0, and diff says: " + (out + err).strip())


class Given(Change):
    """Something is taken from what the node has, or given back: before or after, and nothing else."""

    passing = re.compile(r"^\d+ addresses$")

    def __init__(self, state, key, had, wanted):
        super().__init__(state, state, "set", "victim", "--" + key, wanted)
        self.back = ["set", "victim", "--" + key, had, "--quiet"]
        self.leases = []

    def take_back(self):
        run(*self.back)

    def prepare(self, node):
        super().prepare(node)
        must(*self.back)
        self.leases = names(STORAGE + "/addresses")

    def check(self, node, state):
        status, out, err = run("diff", "victim", "bystander")
        if status or out:
            raise Trouble("diff: " + (out + err).strip())
        must(*self.back)
        now = names(STORAGE + "/addresses")
        if len(now) != len(self.leases):
            raise Trouble("leases were %s, and are %s" % (self.leases, now))


class Traffic(Operation):
    """What is bought is there, and what was bought before."""
    added = 0

    def record(self):
        return int(dict(re.findall(r"^(\S+) = (.*)$", read(STORAGE + "/vps/victim/quota"), re.M)).get("added", 0))

    def prepare(self, node):
        super().prepare(node)
        must("set", "victim", "--traffic", "10G", "--quiet")
        must("traffic", "add", "victim", "1M", "--quiet")
        self.added = self.record()

    def check(self, node, state):
        now = self.record()
        if now not in ([self.added + (1 << 20)] if self.status == 0 else [self.added, self.added + (1 << 20)]):
            raise Trouble("it had %d added, and has %d" % (self.added, now))


class Named(Operation):
    """A plan, a network or an image is there or not, and can be made and removed."""
    passing = re.compile(r"^(network|plan) (named|\.last)(\.conf)?$|^images/names/named$|^image named$")

    def __init__(self, what, make, remove, there, words):
        super().__init__("stopped", "stopped", *words)
        self.what, self.make, self.remove, self.there, self.trees = what, make, remove, there, set()

    def take_back(self):
        run(*self.remove)

    def prepare(self, node):
        super().prepare(node)
        run(*self.remove)
        self.trees = trees()
        if self.there:
            must(*self.make)

    def check(self, node, state):
        shown = self.what in run(self.make[0], "list")[1].split()
        if self.status == 0 and shown == self.there:
            raise Trouble("nothing was done, and nothing said")
        if not shown:
            must(*self.make)
        must(*self.remove)
        if trees() != self.trees:
            raise Trouble("there were %s, and are %s" % (sorted(self.trees), sorted(trees())))


class Set(Change):
    """The definition is one of two, whole, and the kernel agrees with it."""
    choices = ({"memory": "40M", "tasks": "70", "cpus": "0.5"}, {"memory": "48M", "tasks": "90", "cpus": "0.75"})

    def __init__(self, before):
        self.turn, self.was = 0, {}
        super().__init__(before, before)

    def prepare(self, node):
        super().prepare(node)
        self.was = self.definition()
        self.turn ^= 1
        self.words = ["set", "victim"] + [word for key, value in self.choices[self.turn].items()
                                          for word in ("--" + key, value)]

    def definition(self):
        lines = dict(re.findall(r"^(\S+) = (.*)$", read(STORAGE + "/vps/victim/vps.conf"), re.M))
        return {key: lines.get(key) for key in self.choices[0]}

    def check(self, node, state):
        """What else holds: a command that said that it failed may leave a plan that VPSs do not follow yet."""
        now = self.definition()
        if now not in (self.was, *self.choices):
            raise Trouble("half a definition: %s" % now)
        status, out, err = run("diff", "victim", "bystander")
        out = "".join(line for line in out.splitlines(True) if not (self.failed and "plan set" in line))
        if status not in (0, 1) or out:
            raise Trouble("diff: " + (out + err).strip())


class PlanSet(Set):
    choices = ({"memory": "40M", "tasks": "70"}, {"memory": "48M", "tasks": "90"})

    def prepare(self, node):
        node.prepare(self.before)
        must("set", "victim", "--plan", "points", "--memory", "plan", "--tasks", "plan", "--cpus", "plan", "--quiet")
        self.was = self.definition()
        self.turn ^= 1
        self.words = ["plan", "set", "points"] + [word for key, value in self.choices[self.turn].items()
                                                  for word in ("--" + key, value)]


class Passwd(Operation):
    """What said that it is done is done."""
    shadow = ""

    def prepare(self, node):
        super().prepare(node)
        self.shadow = must("exec", "victim", "--", "cat", "/etc/shadow")

    def check(self, node, state):
        out = must("exec", "victim", "--", "cat", "/etc/shadow")
        if out == self.shadow and self.status == 0:
            raise Trouble("/etc/shadow is what it was, and nothing was said")
        fields = [line.split(":") for line in out.splitlines()]
        if not any(line[0] == "root" for line in fields) or any(len(line) < 8 for line in fields):
            raise Trouble("/etc/shadow is: " + out)


class PasswdOffline(Passwd):
    """The same of one that does not run, and is looked at while it does."""

    def look(self):
        must("start", "victim", "--quiet")
        out = must("exec", "victim", "--", "cat", "/etc/shadow")
        must("stop", "victim", "--force", "--quiet")
        return out

    def prepare(self, node):
        Operation.prepare(self, node)
        self.shadow = self.look()

    def check(self, node, state):
        if self.look() == self.shadow and self.status == 0:
            raise Trouble("/etc/shadow is what it was, and nothing was said")


class Adopt(Operation):
    """Its monitor has died, and whoever looks gives it a new one, with which it can be stopped."""

    def prepare(self, node):
        super().prepare(node)
        monitor = json.loads(must("show", "victim", "-j"))["monitor"]
        started = start_of(monitor)
        os.kill(monitor, signal.SIGKILL)
        if not eventually(5, lambda: start_of(monitor) != started):
            raise Trouble("a monitor survives SIGKILL")

    def check(self, node, state):
        must("stop", "victim", "--force", "--quiet")


class Restart(Operation):
    """Wherever it is cut off, the next boot would start it."""

    def check(self, node, state):
        if "the mark that it is to run" not in marks():
            raise Trouble("it ran, and is not to run any more")


class Cat(Operation):
    """What goes in comes out, or it says that it failed."""

    def at_once(self):
        if self.status == 0 and self.out != self.text:
            raise Trouble("it exits 0, and has printed: %r" % self.out)


class Exec(Operation):
    """What runs inside ends with who has asked for it; that ends by itself, but later than we look."""

    def at_once(self):
        if self.status < 0:
            time.sleep(0.1)
            if "sleep" in run("ps", "victim")[1]:
                raise Trouble("it goes on inside")


class Import(Operation):
    """The image is there whole, or not at all."""
    passing = re.compile(r"^image points$")
    trees = set()

    def take_back(self):
        run("image", "remove", "points", "--quiet")

    def prepare(self, node):
        run("image", "remove", "points", "--quiet")
        self.trees = trees()
        super().prepare(node)

    def check(self, node, state):
        status, _, err = run("image", "show", "points")
        if self.status == 0 and status:
            raise Trouble("it is said to be there, and is not")
        if status == 0:
            must("create", "fromit", "--image", "points", "--quiet")
            must("destroy", "fromit", "--yes", "--quiet")
        elif status != 91:
            raise Trouble("image show: " + err)
        run("image", "remove", "points", "--quiet")
        if trees() != self.trees:
            raise Trouble("there were %s, and are %s" % (sorted(self.trees), sorted(trees())))


class Look(Operation):
    """Nothing differs, or it says that it cannot tell."""

    def prepare(self, node):
        super().prepare(node)
        must("sample")

    def at_once(self):
        if self.words[0] == "diff" and self.out:
            raise Trouble("it tells what is not so: " + self.out)


class Copy(Operation):
    """What is said to be copied is, whole."""

    def __init__(self, verb, source, target):
        super().__init__("running", "running", verb, "victim", source, target)
        self.is_pull, self.target = verb == "pull", target

    def prepare(self, node):
        super().prepare(node)
        if not self.is_pull:
            must("exec", "victim", "--", "rm", "-f", self.target)
        elif os.path.exists(self.target):
            os.unlink(self.target)

    def at_once(self):
        if self.status:
            return
        there = must("exec", "victim", "--", "cat", "/etc/passwd" if self.is_pull else self.target)
        if there != read(self.target if self.is_pull else "/etc/passwd"):
            raise Trouble("it exits 0, and the two differ")


class Init(Operation):
    """A second node; the same words once more, and it is whole."""
    table = "nodectl-nodectl-pts"
    home = WORK + "/second"
    words_of = ["--config", home + "/node.conf"]

    def __init__(self):
        super().__init__("stopped", "stopped", *self.words_of, "init", "--storage", self.home + "/storage", "--run",
                         self.home + "/run", "--bridge", "nodectl-pts", "--subnet", "10.242.7.1/24", "--subnet6",
                         "none", "--ids", "28661-28662", "--ssh-port", "0")

    def prepare(self, node):
        super().prepare(node)
        subprocess.run(["ip", "link", "del", "nodectl-pts"], capture_output=True, check=False)
        subprocess.run(["nft", "delete", "table", "inet", self.table], capture_output=True, check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def at_once(self):
        if self.status == 0:
            must(*self.words_of, "list")
            self.bounds()

    def bounds(self):
        """Where the kernel can bound connections; it can in the first node's table, or not."""
        found = re.search(r"^bridge = (\S+)$", read(os.environ["NODECTL_CONFIG"]), re.M)
        first = "nodectl" + ("-" + found.group(1) if found else "")
        has = [subprocess.run(["nft", "list", "set", "inet", table, "conns"], capture_output=True,
                              check=False).returncode == 0 for table in (first, self.table)]
        if has == [True, False]:
            raise Trouble("the table is there, and bounds no connections")

    def check(self, node, state):
        must(*self.words)
        self.bounds()
        must(*self.words_of, "list")
        must(*self.words_of, "repair")
        told = "".join(run(*self.words_of, "repair", "--dry-run")[1:])
        if told:
            raise Trouble("repair of the second node still says: " + told)
        found = {os.path.relpath(os.path.join(top, one), self.home)
                 for top, folders, files in os.walk(self.home) for one in folders + files}
        more = {one for one in found if os.path.basename(one).startswith(".") and
                not os.path.basename(one) in (".ledger", ".ledger.lock", ".naming", ".last")}
        if more:
            raise Trouble("left: %s" % more)
        self.prepare(node)


class Repair(Operation):
    """Repair itself goes wrong: there is something to repair, for another operation was killed before."""

    def __init__(self, others):
        super().__init__("stopped", "", "repair")
        self.done, self.other = "", None
        self.others = others

    def prepare(self, node):
        if self.other:
            self.other.take_back()
        self.other = other = random.choice(self.others)
        other.prepare(node)
        self.before, self.after, self.passing = other.before, other.after, other.passing
        subprocess.run([AT, "-o", WORK + "/at.before", "-k", random.choice(("one", "root", "tree")),
                        str(random.randrange(1, 900)), NODECTL, *other.words],
                       input=other.text, text=True, capture_output=True, check=False)
        other.status = None

    def check(self, node, state):
        self.other.check(node, state)


def operations():
    table = {
        "create": Operation("absent", "stopped", "create", "victim", "--plan", "points"),
        "start": Operation("stopped", "running", "start", "victim"),
        "stop": Stop("stop", "victim", "--timeout", "5"),
        "stop-force": Stop("stop", "victim", "--force"),
        "restart": Restart("running", "stopped", "restart", "victim", "--force", done="running"),
        "boot": Boot("stopped", "running", "boot"),
        "freeze": Operation("running", "frozen", "freeze", "victim"),
        "thaw": Operation("frozen", "running", "thaw", "victim"),
        "set": Set("stopped"),
        "set-live": Set("running"),
        "plan-set": PlanSet("running"),
        "passwd": Passwd("running", "running", "passwd", "victim", "--password-stdin", text="correct horse\n"),
        "passwd-offline": PasswdOffline("stopped", "stopped", "passwd", "victim", "--password-stdin",
                                        text="correct horse\n"),
        "exec": Operation("running", "running", "exec", "victim", "--", "/bin/true"),
        "exec-sleep": Exec("running", "running", "exec", "victim", "--", "/bin/sleep", "1.5"),
        "exec-cat": Cat("running", "running", "exec", "victim", "--", "/bin/cat", text="words\n"),
        "adopt": Adopt("running", "running", "show", "victim"),
        "destroy": Operation("stopped", "absent", "destroy", "victim", "--yes"),
        "destroy-force": Operation("running", "stopped absent", "destroy", "victim", "--force", "--yes"),
        "image-import": Import("stopped", "stopped", "image", "import", "points", WORK + "/points.tar"),
        "set-publish": Given("running", "publish", "22011:11", "22012-22014:12"),
        "set-address": Given("running", "ip6", "auto", "none"),
        "set-disk": Given("stopped", "disk", "64M", "80M"),
        "traffic-add": Traffic("running", "running", "traffic", "add", "victim", "1M"),
        "init": Init(),
        "sample": Operation("running", "running", "sample"),
    }
    for what, make in ("network", ()), ("plan", ("--memory", "32M")), ("image", (WORK + "/points.tar",)):
        verb = "import" if what == "image" else "create"
        names_it = [what, verb, "named", *make, "--quiet"], [what, "remove", "named", "--quiet"]
        if what != "image":
            table[what + "-create"] = Named("named", *names_it, False, names_it[0][:-1])
        table[what + "-remove"] = Named("named", *names_it, True, names_it[1][:-1])
    for words in ("list", "show victim", "usage", "ps victim", "log victim", "net show", "traffic",
                  "report", "report --verify", "metrics", "capacity", "diff", "image list", "plan show points",
                  "network list"):
        words = words.split()
        table[words[0] if words[0] not in table and len(words) < 2 else "-".join(words)] = \
            Look("running", "running", *words)
    table["kill"] = Stop("kill", "victim")
    table["push"] = Copy("push", "/etc/passwd", "/root/pushed")
    table["pull"] = Copy("pull", "/etc/passwd", WORK + "/pulled")
    table["repair"] = Repair([table[name] for name in ("create", "start", "stop-force", "set-live", "destroy-force",
                                                       "freeze", "adopt", "plan-set", "image-import", "image-remove",
                                                       "set-publish", "passwd-offline")])
    return table


# ---- points

def at(operation, point, way, whom):
    """(result, count, call, comm, status, stderr) of the operation with its N-th call gone wrong."""
    words = [AT, "-t", str(30 * SLOW), "-o", WORK + "/at.out", "-k", "tree" if way else whom]
    if not point:
        words += ["-l", WORK + "/at.list"]
    if way == "short":
        words += ["-s"]
    elif way:
        words += ["-e", str(getattr(errno, way))] + (["-p"] if whom == "lasting" else [])
    try:
        done = subprocess.run([*words, str(point), NODECTL, *operation.words], input=operation.text, text=True,
                              errors="replace", capture_output=True, timeout=60 * SLOW)
    except subprocess.TimeoutExpired as late:
        raise Trouble("it does not end") from late
    operation.out = done.stdout
    result, count, call, comm, status = read(WORK + "/at.out").split()
    return result, int(count), int(call), comm, int(status), done.stderr


def without_memory(operation, point):
    """As at(), and what goes wrong is that the N-th allocation gets nothing."""
    with open(WORK + "/alloc", "wb") as file:
        file.write(struct.pack("qq", 0, point))
    words = [AT, "-t", str(30 * SLOW), "-o", WORK + "/at.out", "0", "env", "LD_PRELOAD=" + BIN + "/alloc.so",
             "ALLOC=" + WORK + "/alloc", NODECTL, *operation.words]
    try:
        done = subprocess.run(words, input=operation.text, text=True, errors="replace", capture_output=True,
                              timeout=60 * SLOW)
    except subprocess.TimeoutExpired as late:
        raise Trouble("it does not end") from late
    operation.out = done.stdout
    result, _, _, comm, status = read(WORK + "/at.out").split()
    with open(WORK + "/alloc", "rb") as file:
        count = struct.unpack("qq", file.read())[0]
    return ("hit" if result == "end" and count >= point > 0 else result), count, -1, comm, int(status), done.stderr


def go(operation, point, way, whom):
    return without_memory(operation, point) if way == "memory" else at(operation, point, way, whom)


def settle(node):
    """Repair until it has nothing to say: who survived a kill may hold a lock for a while."""
    status, out, err = run("repair")
    if status:
        raise Trouble("repair exits %d: %s" % (status, (out + err).strip()))

    def quiet():
        _, told, more = run("repair", "--dry-run")
        if not told and not more:
            return True
        run("repair")
        return False
    if not eventually(5, quiet):
        raise Trouble("repair --dry-run still says: " + "".join(run("repair", "--dry-run")[1:]).strip())


def judge(node, operation):
    settle(node)
    state, wrong = "", []

    def clean():
        """An init that was asked to end may still be at it when we come to look."""
        nonlocal state, wrong
        state = node.state()
        if "will be started again" in state:
            return False
        if state not in [operation.before, *operation.after]:
            raise Trouble("it is: " + state)
        wrong = node.wrong(state, operation)
        return not wrong
    # an init that crashed four times in a minute is started again after eight seconds
    if not eventually(20, clean):
        raise Trouble("%s: %s" % (state, "; ".join(wrong[:8]) or "too long"))
    if not node.undisturbed():
        raise Trouble("the neighbour was disturbed")
    operation.check(node, state)


def one(node, operation, point, way, whom):
    """Try a point; was it met?"""
    operation.prepare(node)
    result, _, call, comm, status, err = go(operation, point, way, whom)
    if way == "memory":
        where = "allocation %d gets nothing" % point
    else:
        where = "call %d (%s of %s)" % (point, CALLS.get(call, call), comm) + \
            (" is cut short" if way == "short" else " returns " + way if way else " kills " + whom) + \
            (" from there on" if way and whom == "lasting" else "")
    try:
        if result == "hang":
            raise Trouble("it hangs")
        if way and status < 0:
            raise Trouble("signal %d ended it: %s" % (-status, err.strip()))
        mute = whom == "lasting" and CALLS.get(call) in ("write", "writev")
        if way and status and not err.strip() and not mute:
            raise Trouble("it exits %d and says nothing" % status)
        if way and status and status not in KINDS:
            raise Trouble("it exits %d: %s" % (status, err.strip()))
        if way and not status and operation.done and \
                not eventually(SLOW, lambda: node.state() == operation.done):
            raise Trouble("it exits 0, and it is: " + node.state())
        left = way and run("repair", "--dry-run")[1]
        if left:
            node.left += 1
            if node.left <= SHOWN:
                print("# left by %s: %s" % (where, left.strip().replace("\n", "; ")), flush=True)
        operation.status, operation.failed = status, status > 0
        operation.at_once()
        judge(node, operation)
    except Trouble as trouble:
        raise Trouble("%s: %s" % (where, trouble)) from trouble
    return result == "hit"


def try_all(node, name, operation, arguments):
    operation.prepare(node)
    count = go(operation, 0, arguments.way if arguments.way != "error" else "EIO", "tree")[1]
    if arguments.calls:
        wanted = arguments.calls.split(",")
        points = [n + 1 for n, call in enumerate(read(WORK + "/at.list").split()) if CALLS.get(int(call)) in wanted]
    elif arguments.every:
        points = range(1 + random.randrange(arguments.every), count + 1, arguments.every)
    else:
        # some are not met, for no two runs are alike
        points = random.sample(range(1, count + 1), min(arguments.points + 5, count))
    if arguments.most and len(points) > arguments.most:
        points = sorted(random.sample(points, arguments.most))
    began, tried, failed, node.left = time.time(), 0, 0, 0
    for point in points:
        if not arguments.calls and not arguments.every and tried == arguments.points:
            break
        errors = LASTING if arguments.lasting else ERRORS
        way = errors[(point + arguments.seed) % len(errors)] if arguments.way == "error" else arguments.way
        whom = arguments.whom if arguments.whom != "any" else random.choice(("one", "root", "tree"))
        if arguments.lasting:
            whom = "lasting"
        try:
            tried += bool(one(node, operation, point, way, whom))
        except Trouble as trouble:
            tried += 1
            failed += 1
            if failed <= SHOWN:
                print("# %s: %s" % (name, trouble), flush=True)
            run("destroy", "victim", "--force", "--yes", "--quiet")
            run("repair")
            if not node.undisturbed():
                raise Trouble("the neighbour is gone: nothing more can be tried") from trouble
    what = {"memory": "allocations got nothing", "error": "calls returned an error", "short": "calls cut short",
            None: "calls killed"}[arguments.way]
    print("%s - %s: %d of %d %s, %d failed%s (%d s)" %
          ("not ok" if failed or not tried else "ok", name, tried, count, what, failed,
           ", %d left to repair" % node.left if node.left else "", time.time() - began), flush=True)
    return tried, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=0, help="each so many-th call (1: all)")
    parser.add_argument("--points", type=int, default=20, help="else so many calls of each operation")
    parser.add_argument("--calls", default="", help="of each operation all calls of these names, comma-separated")
    parser.add_argument("--most", type=int, default=0, help="no more than so many of these, by chance")
    for way, text in ("error", "calls return errors"), ("memory", "allocations get nothing"), \
            ("short", "reads and writes move half"):
        parser.add_argument("--" + way, dest="way", action="store_const", const=way, help=text)
    parser.add_argument("--lasting", action="store_true", help="errors last: all later calls of the kind have them")
    parser.add_argument("--whom", choices=("one", "root", "tree", "any"), default="any", help="who is killed")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("operation", nargs="*")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    print("# --seed %d" % arguments.seed, flush=True)
    node = Node()
    node.remember()
    table = operations()
    tried = failed = 0
    for name in arguments.operation or [name for name in table if name != "exec-sleep"]:
        try:
            more, bad = try_all(node, name, table[name], arguments)
        except Trouble as trouble:
            print("not ok - %s: %s" % (name, trouble), flush=True)
            more, bad = 0, 1
        tried, failed = tried + more, failed + bad
    print("# %d points, %d failed" % (tried, failed))
    run("destroy", "victim", "--force", "--yes", "--quiet")
    must("destroy", "bystander", "--force", "--yes", "--quiet")
    must("plan", "remove", "points", "--quiet")
    return failed != 0


try:
    sys.exit(main())
except Trouble as trouble:
    print("not ok - " + str(trouble))
    sys.exit(1)
