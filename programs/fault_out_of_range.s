; One element more than the scratchpad of rcn-s holds.
;;! [fault]
;;! kind = "out-of-range"
;;! pc = 1
;;! instruction = "dma.fill t0"
;;! layer = "out of range"

.layer {"name": "out of range", "kind": "fault"}
.machine rcn-s
.const
block:  .tdesc spm u8 262140 [1, 1, 1, 5]
.code
.in 0
  tdesc.load  t0, block(x0)
  dma.fill    t0
  halt
