; 2^16 to the fourth power is 0 in 64 bits.
.machine rcn-m
.layer {"name": "all", "kind": "fill", "macs": 0}
.const
all: .tdesc spm u8 0 [65536, 65536, 65536, 65536]
.code
.in 0
  layer.begin 0
  tdesc.load  t0, all(x0)
  dma.fill    t0
  halt
