; A store to DRAM address 0, where the constants are.
;;! [fault]
;;! kind = "write-to-constants"
;;! pc = 3
;;! instruction = "dma.out t1, t0 wait(dmain)"
;;! layer = "write to constants"

.layer {"name": "write to constants", "kind": "fault"}
.const
block:  .tdesc spm u8 0 [1, 1, 1, 4]
to:     .tdesc dram u8 0 [1, 1, 1, 4]
.code
.in 0
  tdesc.load  t0, block(x0)
  tdesc.load  t1, to(x0)
  dma.fill    t0
  dma.out     t1, t0 wait(dmain)
  halt
