; A fill and a copy of what it writes to DRAM, without a condition: the copy may see bytes that are not there yet.
;;! [fault]
;;! kind = "race"
;;! pc = 3
;;! instruction = "dma.out t1, t0"
;;! layer = "race"
;;! reason = "race: it reads bytes 0x10..0x18 of spm, which `dma.fill t0` at pc 2 writes, and nothing orders the two; let it wait(dmain), or put a fence between them"

.layer {"name": "race", "kind": "fault"}
.buffer result, 8
.const
a:      .tdesc spm u8 0x10 [1, 1, 1, 8]
b:      .tdesc dram u8 result [1, 1, 1, 8]
.code
.in 0
  tdesc.load  t0, a(x0)
  tdesc.load  t1, b(x0)
  dma.fill    t0
  dma.out     t1, t0
  halt
