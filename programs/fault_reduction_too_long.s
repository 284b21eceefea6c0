; 33,026 products in one sum; 33,025 always fit 32 bits.
;;! [fault]
;;! kind = "reduction-too-long"
;;! pc = 5
;;! instruction = "mac.matmul t2, t0, t1, t0 wait(dmain)"
;;! layer = "reduction too long"

.layer {"name": "reduction too long", "kind": "fault"}
.const
a:      .tdesc spm u8 0 [1, 1, 1, 33026]
b:      .tdesc spm u8 65536 [1, 1, 33026, 1]
sums:   .tdesc acc s32 0 [1, 1, 1, 1]
.code
.in 0
  tdesc.load  t0, a(x0)
  tdesc.load  t1, b(x0)
  tdesc.load  t2, sums(x0)
  dma.fill    t0
  dma.fill    t1
  mac.matmul  t2, t0, t1, t0 wait(dmain)
  halt
