"""The networks of a device's rows: made where they are missing, with 8-bit inputs and outputs, and what is known."""
import json

import networks
from facts import facts
from integer import made_integer


def listed(collapsed, device):
    """(rows of a device that have a network, [(id, reason)] of the rest)."""
    out, none = [], []
    for row in collapsed:
        if row.device != device.device or row.cores != device.cores:
            continue
        found = networks.known(row)
        if isinstance(found, str):
            none.append((row.id, found))
            continue
        note = "; ".join(t for t in (found.uncertain, found.note) if t)
        out.append({"id": row.id, "latency_ms": row.latency_ms, "uncertain": bool(found.uncertain),
                    "file": f"{found.graph}.onnx", "note": note})
    return out, none


def made(row, binary, folder, tell):
    """The facts that `make.py` keeps of a network, which is made if it is not there."""
    kept = folder / row["file"].replace(".onnx", ".json")
    if (folder / row["file"]).exists() and kept.exists():
        return json.loads(kept.read_text())
    from make import made as make  # needs torch

    tell(f"{row['id']}: making {row['file']}")
    return make(row["file"].removesuffix(".onnx"), binary, folder)


def ready(rows, binary, folder, tell):
    """(rows whose network is there, facts of each file, [(id, reason)] of the rest)."""
    out, known, none = [], {}, []
    (folder / "integer").mkdir(parents=True, exist_ok=True)
    for row in rows:
        file = row["file"]
        try:
            macs = made(row, binary, folder, tell)["macs"]
            if not (folder / "integer" / file).exists():
                made_integer(folder / file, folder / "integer" / file)
            if file not in known:
                known[file] = facts(folder / "integer" / file)
        except Exception as error:  # one network that cannot be made must not stop the others
            none.append((row["id"], f"{file} not made: {type(error).__name__}: {str(error)[:200]}"))
            continue
        found = {"macs": macs, "weight_bytes": known[file].weights, "moved": known[file].moved}
        out.append(row | found)
    return out, known, none
