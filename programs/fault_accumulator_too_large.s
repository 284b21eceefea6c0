; A tile of more than half the accumulators (rcn-s has 128 KiB: 16384 sums).
;;! [fault]
;;! kind = "accumulator-too-large"
;;! pc = 3
;;! instruction = "vec.rsum t1, t0 wait(dmain)"
;;! layer = "accumulator too large"

.layer {"name": "accumulator too large", "kind": "fault"}
.machine rcn-s
.const
image:  .tdesc spm u8 0 [1, 1, 1, 16400]
sums:   .tdesc acc s32 0 [1, 1, 1, 16400]
.code
.in 0
  tdesc.load  t0, image(x0)
  tdesc.load  t1, sums(x0)
  dma.fill    t0
  vec.rsum    t1, t0 wait(dmain)
  halt
