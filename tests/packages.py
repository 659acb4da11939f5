#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every system header that is included comes with a package that contrib/packages names, or with
one that such a package needs: a machine that has more shows nothing missing, and a fresh one does
not build.  In the folder of the project."""
import re
import subprocess
import sys


def lines(*words):
    return subprocess.run(words, text=True, capture_output=True, check=False).stdout.splitlines()


def bare(name):
    return name.split()[0].partition(":")[0]


def packages():
    """{package: what it needs} of all that is installed, by what each is and provides."""
    needs, provides = {}, {}
    for line in lines("dpkg-query", "-W", "-f", "${Package}\t${Depends},${Pre-Depends}\t${Provides}\n"):
        name, depends, virtual = line.split("\t")
        needs[name] = {bare(one) for one in re.split("[,|]", depends) if one.strip()}
        for one in filter(str.strip, virtual.split(",")):
            provides.setdefault(bare(one), set()).add(name)
    return needs, provides


def closure(named):
    """What comes with them."""
    needs, provides = packages()
    found, left = set(), set(named)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left |= needs.get(name, set()) | provides.get(name, set())
    return found


with open("contrib/packages") as file:
    there = closure(line.split()[0] for line in file if line.strip() and not line.startswith("#"))
sources = lines("find", ".", "-name", "*.[ch]", "-not", "-path", "./build/*")
wanted = {}
for path in sources:
    with open(path) as file:
        for header in re.findall(r"^#\s*include <(.*)>", file.read(), re.M):
            wanted.setdefault(header, path)
owners = {}
for line in lines("dpkg-query", "-S", *("/usr/include*/" + header for header in wanted)):
    names, _, path = line.rpartition(": ")
    owners.setdefault(path, set()).update(bare(name) for name in names.split(", "))

failed = 0
for header, source in sorted(wanted.items()):
    owner = {name for path, names in owners.items() if path.endswith("/" + header) for name in names}
    if not owner & there:
        failed += 1
        print("not ok - %s includes <%s> of %s, which contrib/packages does not name" %
              (source, header, " or ".join(sorted(owner)) or "no package"))
print("%d passed, %d failed" % (len(wanted) - failed, failed))
sys.exit(failed != 0)
