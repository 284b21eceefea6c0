; The extents of source and destination differ.
;;! [fault]
;;! kind = "illegal-operand"
;;! pc = 3
;;! instruction = "dma.copy t1, t0"
;;! layer = "illegal operand"

.layer {"name": "illegal operand", "kind": "fault"}
.const
a:      .tdesc spm u8 0 [1, 1, 1, 4]
b:      .tdesc spm u8 64 [1, 1, 2, 2]
.code
.in 0
  tdesc.load  t0, a(x0)
  tdesc.load  t1, b(x0)
  dma.fill    t0
  dma.copy    t1, t0
  halt
