"""Starts the tool, and says how it ended and whether it should have ended so."""
import os
import re
import resource
import select
import signal
from dataclasses import dataclass

SECONDS = 20  # Of the processor; on a busy computer six times as many may pass.
MEMORY = 1 << 30
DOCUMENTED = range(6)
# Commands whose answer "no" stands in the report on stdout.
ANSWERS = {"check", "compare", "diagnose", "info"}
PANIC = re.compile(r"panicked at (\S+:\d+):\d+:\s*([^\n]*)")


@dataclass
class Ended:
    """One process: its arguments, exit status (minus the signal), what it printed, KiB of memory, whether time ran out."""
    arguments: list
    status: int
    out: str
    err: str
    memory: int
    late: bool

    def refused(self):
        """Whether it ended with a documented status that says no."""
        return self.status in DOCUMENTED[1:]

    def defect(self, bytes_given):
        """What is wrong whatever the input was; None if nothing."""
        panic = PANIC.search(self.err)
        if panic:
            return f"panic at {re.sub('.*/registry/src/[^/]*/', '', panic[1])}: {plain(panic[2])}"
        if self.late:
            return f"time-out of {SECONDS} s"
        if self.status < 0:
            return f"signal {signal.Signals(-self.status).name}: {plain(self.err)}"
        if self.memory << 10 > MEMORY + bytes_given:
            return "memory above 1 GiB and the size of its input"
        if self.status not in DOCUMENTED:
            return f"status {self.status}: {plain(self.err)}"
        if self.status and not (self.err or self.arguments[0] in ANSWERS and self.out):
            return f"status {self.status} without a message"
        return None


def plain(text):
    """The first line of a message without names and numbers, so that like messages are equal."""
    text = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`", "'…'", text.strip().split("\n")[0])
    return re.sub(r"-?\d[\d.,x×*_]*(e[-+]?\d+)?", "N", text)[:160]


def launch(tool, arguments):
    """Runs the tool in the current folder; its output goes through files, since a pipe would have to be emptied."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, ".out", flags, 0o600), (os.POSIX_SPAWN_OPEN, 2, ".err", flags, 0o600)]
    pid = os.posix_spawn(tool, [tool, *arguments], os.environ, file_actions=actions)
    watched = os.pidfd_open(pid)
    resource.prlimit(pid, resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
    late = not select.select([watched], [], [], 6 * SECONDS)[0]
    if late:
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    os.close(watched)
    status = os.waitstatus_to_exitcode(status)
    late |= status == -signal.SIGXCPU
    return Ended(arguments, status, read(".out"), read(".err"), usage.ru_maxrss, late)


def read(path):
    """At most 4 MiB of a text."""
    with open(path, "rb") as file:
        return file.read(1 << 22).decode("utf-8", "replace")
