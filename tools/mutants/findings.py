"""Counts how mutants ended, and keeps the smallest example of each kind of defect."""
import collections
import json
import os
import re
import shutil

import launch

COLUMNS = ["mutants", "fine", "refused 1", "refused 2", "refused 3", "refused 4", "refused 5", "panics", "signals",
           "time-outs", "memory", "other defects"]


def column(defect):
    """The column of the summary that a defect belongs to."""
    for word, name in [("panic at", "panics"), ("signal ", "signals"), ("time-out", "time-outs"), ("memory ", "memory")]:
        if defect.startswith(word):
            return name
    return "other defects"


# What a check cannot know, so that a run alone may say it: ids are data, and whether there is anything to write is a question
# of the command.
KNOWN = ["of the ids is outside the table", "--output has no effect: the program has no outputs"]


class Findings:
    """What a whole run of mutants found."""

    def __init__(self, folder):
        self.folder = folder
        self.counts = collections.defaultdict(collections.Counter)
        self.found = {}

    def add(self, kind, command, defect, note, commands):
        """Keeps the files of the current folder if they are the smallest example of this defect."""
        key = f"{kind}: {command}: {defect}"
        size = sum(os.path.getsize(name) for name in os.listdir() if os.path.isfile(name))
        known = self.found.setdefault(key, {"count": 0, "bytes": None})
        known["count"] += 1
        if known["bytes"] is not None and known["bytes"] <= size:
            return
        number = known.get("number", len(self.found))
        place = os.path.join(self.folder, f"{number:03}-{re.sub('[^A-Za-z0-9]+', '_', key)[:80]}")
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(".", place)
        known.update(number=number, bytes=size, note=note, place=place, commands=commands)
        with open(os.path.join(place, "commands.txt"), "w") as file:
            file.write(f"{key}\n{note}\n\n" + "".join(f"rcar-iss {line}\n" for line in commands))

    def summary(self):
        """One line for each kind of mutants, and every kind of defect."""
        lines = ["kind".ljust(12) + "".join(name.rjust(14) for name in COLUMNS)]
        for kind, counts in self.counts.items():
            lines.append(kind.ljust(12) + "".join(str(counts[name]).rjust(14) for name in COLUMNS))
        return "\n".join(lines) + self.listing()

    def listing(self):
        """Each kind of defect with the commands that show it."""
        lines = []
        for key, known in sorted(self.found.items()):
            lines += ["", f"{known['count']} x {key}", f"    {known['note']}", f"    cd {known['place']}",
                      f"    rcar-iss {known['commands'][-1]}"]
        return "\n".join(lines)

    def write(self, path):
        """Everything as JSON."""
        with open(path, "w") as file:
            json.dump({"counts": self.counts, "findings": self.found}, file, indent=1)


class Bench:
    """One mutant on the bench: runs commands on it, in the folder that holds its files, and keeps what goes wrong."""

    def __init__(self, tool, findings, kind, note, size):
        self.tool, self.findings, self.kind, self.note, self.size = tool, findings, kind, note, size
        self.commands = []
        self.columns = set()

    def run(self, *arguments):
        """Runs the tool; a way to end that no input excuses is a finding."""
        ended = launch.launch(self.tool, list(arguments))
        self.commands.append(" ".join(arguments))
        defect = ended.defect(self.size)
        if defect:
            self.defect(arguments[0], defect)
        return ended

    def defect(self, command, what):
        """Notes something wrong."""
        if any(text in what for text in KNOWN):
            return
        self.columns.add(column(what))
        self.findings.add(self.kind, command, what, self.note, list(self.commands))

    def close(self, ended):
        """Counts the mutant by its first command, and by its defects."""
        counts = self.findings.counts[self.kind]
        counts["mutants"] += 1
        if ended.status in range(1, 6):
            counts[f"refused {ended.status}"] += 1
        elif ended.status == 0:
            counts["fine"] += 1
        counts.update(self.columns)
