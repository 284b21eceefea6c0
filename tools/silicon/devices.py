"""The devices of the fit: base machine, what is known of it, and which constants are free.

A base machine is `isa/machines/BASE.toml` with the constants of `given`, which public sources or the classes of
memories say, and of `plausible`, where the search begins; ports of the array that are not there are as wide as dense
products need. `free` lists the constants of the fit with the least and greatest value; several names move together,
each by the same factor. `shapes` are factorizations of the array's multiply-accumulates: output channels, input
channels, pixels.
"""
import dataclasses


@dataclasses.dataclass
class Device:
    machine: str  # name of the machine and of its file
    device: str  # short name of the rows' device
    title: str
    base: str
    given: dict  # constant: (value, who says so)
    plausible: dict  # constant: value
    free: dict  # constants, joined by +: (least, greatest)
    shapes: list
    starts: tuple = ({},)  # doublings of free constants, from each of which the search begins
    cores: int = 1
    remark: str = ""  # how plausible the constants are


def memory(name, clock_mhz, row_ns, turn_ns, refresh_ns, interval_ns):
    """Times of a class of memories, in cycles."""
    cycles = {"dram.row_miss_cycles": row_ns, "dram.turnaround_cycles": turn_ns, "dram.refresh_cycles": refresh_ns,
              "dram.refresh_interval_cycles": interval_ns}
    return {k: (round(ns * clock_mhz / 1000), name) for k, ns in cycles.items()}


LPDDR = (36, 15, 280, 3904)
CARD = "the vendor's cards"
VEC = "vec.lanes+vec.source_bytes_per_cycle+vec.result_bytes_per_cycle+vec.sum_bytes_per_cycle"
FILL = "mac.fill_cycles+mac.drain_cycles"
COPIES = "spm.bytes_per_cycle"  # copies inside the scratchpad
ACTIVATIONS = "mac.activation_bytes_per_cycle"
QUEUES = "mac.queue_depth+vec.queue_depth+dma.in_queue_depth+dma.out_queue_depth"
CORE = {
    "dram.bytes_per_cycle": (0.05, 64),
    "dram.read_latency_cycles": (50, 2000),
    VEC: (1, 128),
    COPIES: (1, 256),
    "vec.latency_cycles": (4, 512),
    FILL: (4, 256),
    "mac.depthwise_taps": (1, 16),
    ACTIVATIONS: (1, 512),
    "mac.sum_bytes_per_cycle": (8, 4096),
    "mac.weight_bytes_per_cycle": (4, 512),
    QUEUES: (1, 16),
    "control.const_miss_cycles": (50, 3000),
    "control.const_load_cycles": (1, 64),
}
HOST = {"host.start_ns": (1000, 5_000_000), "host.layer_ns": (100, 100_000)}

DEVICES = [
    Device(
        "x5h-core-like", "x5h", "R-Car X5H, one core of its NPU", "rcn-m",
        {
            "clock_mhz": (850, CARD),
            **memory("LPDDR5 class", 850, *LPDDR),
            "host.megabytes_per_second": (4000, "not fitted"),
        },
        {"host.start_ns": 100_000, "host.layer_ns": 2000},
        CORE | {"spm.bytes": (1 << 20, 8 << 20)} | HOST,
        [(64, 16, 4), (64, 64, 1), (16, 16, 16)],
        remark="14 GB/s of DRAM for one core of twelve and a launch of some microseconds for each layer are plausible; "
               "what the shape of the array is, these rows hardly tell: the next best one fits as well within 0.02.",
    ),
    Device(
        "stm32n6-like", "stm32n6", "STM32N6", "rcn-s",
        {
            "clock_mhz": (1000, "the vendor's model zoo"),
            "dram.bytes_per_cycle": (0.384, "flash, from pairs of models that differ in the last layer"),
            "dram.row_miss_cycles": (20, "octo-SPI flash"), "dram.turnaround_cycles": (0, "octo-SPI flash"),
            "dram.refresh_cycles": (0, "octo-SPI flash"), "dram.banks": (1, "octo-SPI flash"),
            "dram.row_bytes": (256, "octo-SPI flash"),
            "host.megabytes_per_second": (4000, "not fitted"),
        },
        {
            "spm.bytes": 4194304, "dram.read_latency_cycles": 200,
            "control.const_miss_cycles": 200, "host.start_ns": 20_000, "host.layer_ns": 5000,
            ACTIVATIONS: 8, COPIES: 2, "vec.lanes": 1,  # streams of 64 bits, an element a cycle
            "vec.source_bytes_per_cycle": 2, "vec.result_bytes_per_cycle": 2, "vec.sum_bytes_per_cycle": 4,
        },
        {k: v for k, v in CORE.items() if k != "dram.bytes_per_cycle"} | {"spm.bytes": (1 << 20, 4 << 20)} | HOST,
        [(36, 8, 1), (72, 4, 1), (144, 2, 1)],
        ({ACTIVATIONS: -3},),
        remark="Ports of one byte of activations and one element of results a cycle are less than the device has: they "
               "stand for steps that its tool runs one after the other, with tensors read and written in each. The "
               "channel of this machine holds weights only as long as activations fit the scratchpad, as they do here.",
    ),
    Device(
        "tda4vm-like", "tda4vm", "TDA4VM, C7x with its matrix unit", "rcn-m",
        {
            "clock_mhz": (1000, "the vendor"),
            "spm.bytes": (8388608, "8 MB of MSMC"),
            "vec.lanes": (64, "vectors of 512 bits"),
            **memory("LPDDR4 class", 1000, 39, 15, 280, 3904),
            "host.megabytes_per_second": (4000, "not fitted"),
        },
        {"dram.bytes_per_cycle": 17.064, "host.start_ns": 200_000, "host.layer_ns": 2000},
        {k: v for k, v in CORE.items() if k != VEC} | {"dram.bytes_per_cycle": (4, 34)} | HOST,
        [(64, 64, 1)],
        remark="8.5 GB/s of 17 and 23 µs for each layer are plausible for a runtime that launches layers one by one.",
    ),
    Device(
        "ethos-u65-256-like", "imx93", "i.MX 93, Ethos-U65 with 256 MAC a cycle", "rcn-s",
        {
            "clock_mhz": (1000, "the vendor"),
            "spm.bytes": (393216, "384 KB of on-chip RAM"),
            "host.layer_ns": (0, "one command stream for all layers"),
            **memory("LPDDR4 class", 1000, 39, 15, 280, 3904),
            "host.megabytes_per_second": (4000, "not fitted"),
        },
        {"dram.bytes_per_cycle": 7.5, "host.start_ns": 100_000},
        CORE | {"dram.bytes_per_cycle": (0.5, 7.5), "host.start_ns": HOST["host.start_ns"]},
        [(8, 8, 4), (16, 16, 1)],
        remark="Half of the 7.5 GB/s that the memory can have, and 71 µs to start, are plausible. Five rows fit little.",
    ),
]
