# SPDX-License-Identifier: GPL-2.0-or-later
"""screen.py [TERM=xterm] [SIZE=24x80] -- PROGRAM ARGUMENT... -- ACTION...

Runs PROGRAM on a terminal and looks at its screen, as a person would:

    see:REGEX       a line of the screen matches, within ten seconds
    line:N:REGEX    that line does (from 0, -1 is the last)
    unsee:REGEX     no line matches
    type:KEYS       with \\n, \\e and the like
    size:ROWSxCOLS  the window gets another size
    signal:NAME     the program gets a signal
    hold:SECONDS    nothing is written to the terminal for so long
    end:STATUS      it ends so, and the terminal is as it was before

Prints what is not so, with the screen, and exits 1.
"""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time


class Screen:
    """What the escape sequences of xterm, vt100, linux and screen do to a screen, as far as
    curses uses them; whatever else comes is noted in `unknown`."""

    def __init__(self, rows, columns):
        self.alternate = False
        self.unknown = []
        self.rest = ""
        self.written = 0
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cell = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.top, self.bottom = 0, rows - 1
        self.last = " "

    def lines(self):
        return ["".join(row).rstrip() for row in self.cell]

    def put(self, char):
        if self.column >= self.columns:
            self.column = 0
            self.down()
        self.cell[self.row][self.column] = self.last = char
        self.column += 1

    def down(self):
        if self.row == self.bottom:
            del self.cell[self.top]
            self.cell.insert(self.bottom, [" "] * self.columns)
        elif self.row < self.rows - 1:
            self.row += 1

    def up(self):
        if self.row == self.top:
            del self.cell[self.bottom]
            self.cell.insert(self.top, [" "] * self.columns)
        elif self.row:
            self.row -= 1

    def feed(self, data):
        self.written += len(data)
        text = self.rest + self.decoder.decode(data)
        at = 0
        while at < len(text):
            if text[at] != "\033":
                self.plain(text[at])
                at += 1
                continue
            found = re.match(r"\033(\[[?>=!]?[0-9;]*[ -/]*[@-~]|[()*+][0-9A-Za-z]|[0-Z\\^-~])",
                             text[at:])
            if text[at + 1:at + 2] == "]":
                found = re.match(r"\033\][^\007\033]*(\007|\033\\)", text[at:])
            if not found:
                if len(text) - at < 64:
                    break
                self.unknown.append(text[at:at + 8])
                at += 1
                continue
            self.escape(found.group(0))
            at += found.end()
        self.rest = text[at:]

    def plain(self, char):
        if char == "\r":
            self.column = 0
        elif char in "\n\v\f":
            self.down()
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char == "\t":
            self.column = min(self.columns - 1, (self.column // 8 + 1) * 8)
        elif char >= " ":
            self.put(char)

    def escape(self, text):
        if text == "\033M":
            self.up()
        elif text in ("\033D", "\033E"):
            self.down()
        elif text == "\033c":
            self.resize(self.rows, self.columns)
        elif text in ("\0337", "\0338", "\033=", "\033>", "\033H") or text[1] in "()*+]":
            pass
        elif text[1] == "[":
            self.control(text[2:-1], text[-1])
        else:
            self.unknown.append(text)

    def erase(self, row, first, last):
        for column in range(max(0, first), min(self.columns, last)):
            self.cell[row][column] = " "

    def control(self, text, final):
        private = text[:1] in ("?", ">", "=", "!")
        numbers = [int(part) if part else 0 for part in text.lstrip("?>=!").split(";")] \
            if re.fullmatch(r"[0-9;]*", text.lstrip("?>=!")) else [0]
        first = numbers[0]
        count = max(1, first)
        line = self.cell[self.row]
        self.column = min(self.column, self.columns - 1) if final in "CDKXP@JABGd" else self.column
        if private:
            if 1049 in numbers or 47 in numbers or 1047 in numbers:
                self.alternate = final == "h"
        elif final in "Hf":
            self.row = min(self.rows, max(1, first)) - 1
            self.column = min(self.columns, max(1, numbers[1] if len(numbers) > 1 else 1)) - 1
        elif final == "A":
            self.row = max(0, self.row - count)
        elif final in "Be":
            self.row = min(self.rows - 1, self.row + count)
        elif final in "Ca":
            self.column = min(self.columns - 1, self.column + count)
        elif final == "D":
            self.column = max(0, self.column - count)
        elif final in "G`":
            self.column = min(self.columns, count) - 1
        elif final == "d":
            self.row = min(self.rows, count) - 1
        elif final == "J":
            if first == 0:
                self.erase(self.row, self.column, self.columns)
            for row in range(self.rows):
                if first >= 2 or (first == 0 and row > self.row) or (first == 1 and row < self.row):
                    self.erase(row, 0, self.columns)
            if first == 1:
                self.erase(self.row, 0, self.column + 1)
        elif final == "K":
            self.erase(self.row, 0 if first else self.column,
                       self.column + 1 if first == 1 else self.columns)
        elif final == "X":
            self.erase(self.row, self.column, self.column + count)
        elif final == "P":
            del line[self.column:self.column + count]
            line.extend(" " * (self.columns - len(line)))
        elif final == "@":
            line[self.column:self.column] = [" "] * count
            del line[self.columns:]
        elif final == "b":
            for _ in range(count):
                self.put(self.last)
        elif final == "r":
            self.top = max(1, first) - 1
            self.bottom = (numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
            self.row = self.column = 0
        elif final in "LS" or final in "MT":
            top = self.row if final in "LM" else self.top
            for _ in range(min(count, self.bottom - top + 1)):
                if final in "LT":
                    del self.cell[self.bottom]
                    self.cell.insert(top, [" "] * self.columns)
                else:
                    del self.cell[top]
                    self.cell.insert(self.bottom, [" "] * self.columns)
        elif final not in "mhlngct":
            self.unknown.append("CSI %s%s" % (text, final))


class Failed(Exception):
    pass


class Terminal:
    def __init__(self, argv, term, rows, columns):
        self.screen = Screen(rows, columns)
        self.master, self.slave = pty.openpty()
        self.set_size(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.closerange(3, 64)
            os.environ.update(TERM=term, LANG="C.UTF-8", LC_ALL="C.UTF-8")
            os.environ.pop("LINES", None)
            os.environ.pop("COLUMNS", None)
            os.execvp(argv[0], argv)
        self.status = None

    def set_size(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def pump(self, seconds):
        end = time.time() + seconds
        while True:
            left = end - time.time()
            if not select.select([self.master], [], [], max(0, left))[0]:
                return
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            self.screen.feed(data)

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def until(self, what, test, seconds=10):
        end = time.time() + seconds
        while not test():
            if time.time() > end or self.ended() and not test():
                self.pump(0.1)
                if test():
                    return
                raise Failed(what + (", it has ended" if self.ended() else ""))
            self.pump(0.05)

    def act(self, action):
        verb, _, rest = action.partition(":")
        if verb == "see":
            self.until("no line is like /%s/" % rest,
                       lambda: any(re.search(rest, line) for line in self.screen.lines()))
        elif verb == "line":
            number, _, rest = rest.partition(":")
            self.until("line %s is not like /%s/" % (number, rest),
                       lambda: re.search(rest, self.screen.lines()[int(number)]))
        elif verb == "unsee":
            self.until("a line is like /%s/" % rest,
                       lambda: not any(re.search(rest, line) for line in self.screen.lines()))
        elif verb == "type":
            os.write(self.master, rest.replace("\\e", "\033").encode().decode("unicode_escape").encode())
        elif verb == "size":
            rows, columns = map(int, rest.split("x"))
            self.pump(0.2)
            self.screen.resize(rows, columns)
            self.set_size(rows, columns)
            os.kill(self.pid, signal.SIGWINCH)
        elif verb == "signal":
            os.kill(self.pid, getattr(signal, "SIG" + rest))
        elif verb == "hold":
            self.pump(0.3)
            before = self.screen.written
            self.pump(float(rest))
            if self.screen.written != before:
                raise Failed("%d bytes were written" % (self.screen.written - before))
        elif verb == "end":
            self.until("it does not end", self.ended)
            self.pump(0.2)
            if self.status != int(rest):
                raise Failed("it ended with %d, not %s" % (self.status, rest))
            if termios.tcgetattr(self.slave) != self.before:
                raise Failed("the terminal's mode is another one")
            if self.screen.alternate:
                raise Failed("the terminal still shows the other screen")
        else:
            raise Failed("unknown action")


def main():
    words = sys.argv[1:]
    first = words.index("--")
    second = words.index("--", first + 1)
    settings = dict(word.split("=") for word in words[:first])
    rows, columns = map(int, settings.get("SIZE", "24x80").split("x"))
    terminal = Terminal(words[first + 1:second], settings.get("TERM", "xterm"), rows, columns)
    try:
        for action in words[second + 1:]:
            try:
                terminal.act(action)
            except Failed as failed:
                print("%s: %s" % (action, failed))
                print("\n".join("|" + line for line in terminal.screen.lines()))
                return 1
        if terminal.screen.unknown:
            print("sequences that are not known: %r" % terminal.screen.unknown[:5])
            return 1
        return 0
    finally:
        if not terminal.ended():
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)


sys.exit(main())
