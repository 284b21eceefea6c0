"""Machine files: read, changed by a dotted name, written with comments."""
import copy
import tomllib


def read(path):
    return tomllib.loads(path.read_text(encoding="utf-8"))


def value(machine, name):
    """The constant that a dotted name stands for: mac.oc_lanes."""
    for part in name.split("."):
        machine = machine[part]
    return machine


def changed(machine, constants):
    """A copy with other constants."""
    out = copy.deepcopy(machine)
    for name, number in constants.items():
        *tables, last = name.split(".")
        table = out
        for part in tables:
            table = table.setdefault(part, {})
        table[last] = number
    return out


def written(number):
    if isinstance(number, bool):
        return str(number).lower()
    if isinstance(number, str):
        return f'"{number}"'
    if isinstance(number, list):
        return "[" + ", ".join(written(n) for n in number) + "]"
    return str(number)


def text(machine, head=(), notes=None):
    """The file: lines of comment, then each constant, with its note if it has one."""
    notes, lines = notes or {}, [f"# {line}" if line else "#" for line in head]

    def put(table, before):
        for key, number in table.items():
            if not isinstance(number, dict):
                note = notes.get(before + key)
                line = f"{key} = {written(number)}"
                lines.append(f"{line:<36} # {note}" if note else line)

    put(machine, "")
    for key, table in machine.items():
        if isinstance(table, dict):
            lines.extend(["", f"[{key}]"])
            put(table, f"{key}.")
    return "\n".join(lines) + "\n"
