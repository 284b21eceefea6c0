"""The networks of a device's rows: made where they are missing, with 8-bit inputs and outputs, and what is known."""
import networks
from facts import facts
from integer import made_integer
from make import made


def gathered(collapsed, device, binary, folder, tell):
    """(rows with a network, facts of each file, [(id, reason)] of the rest)."""
    out, known, none = [], {}, []
    ready = folder / "integer"
    ready.mkdir(parents=True, exist_ok=True)
    for row in collapsed:
        if row.device != device.device or row.cores != device.cores:
            continue
        found = networks.known(row)
        if isinstance(found, str):
            none.append((row.id, found))
            continue
        file = f"{found.graph}.onnx"
        try:
            if not (folder / file).exists():
                tell(f"{row.id}: making {file}")
            macs = made(found.graph, binary, folder)["macs"]
            if not (ready / file).exists():
                made_integer(folder / file, ready / file)
            if file not in known:
                known[file] = facts(ready / file)
        except Exception as error:  # one network that cannot be made must not stop the others
            none.append((row.id, f"{file} not made: {type(error).__name__}: {str(error)[:200]}"))
            continue
        out.append({"id": row.id, "latency_ms": row.latency_ms, "uncertain": bool(found.uncertain), "file": file,
                    "macs": macs, "note": "; ".join(t for t in (found.uncertain, found.note) if t)})
    return out, known, none
