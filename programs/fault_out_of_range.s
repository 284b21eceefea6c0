; One element more than the scratchpad of rcn-s holds.
;;! [fault]
;;! kind = "out-of-range"
;;! pc = 1
;;! instruction = "dma.fill    t0"

.machine rcn-s
.const
block:  .tdesc spm u8 262140 [1, 1, 1, 5]
.code
  tdesc.load  t0, block(x0)
  dma.fill    t0
  halt
