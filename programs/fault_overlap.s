; A copy onto itself, moved by two bytes.
;;! [fault]
;;! kind = "overlap"
;;! pc = 3
;;! instruction = "dma.copy t1, t0"
;;! layer = "overlap"

.layer {"name": "overlap", "kind": "fault"}
.const
a:      .tdesc spm u8 0 [1, 1, 1, 8]
b:      .tdesc spm u8 2 [1, 1, 1, 8]
.code
.in 0
  tdesc.load  t0, a(x0)
  tdesc.load  t1, b(x0)
  dma.fill    t0
  dma.copy    t1, t0
  halt
