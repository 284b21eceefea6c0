; Only 3 of the 4 bytes that are stored were filled.
;;! [fault]
;;! kind = "undefined-read"
;;! pc = 5
;;! instruction = "dma.out t2, t1 wait(dmain)"
;;! layer = "store"

.layer {"name": "store", "kind": "copy"}
.buffer out, 4
.const
three:  .tdesc spm u8 16 [1, 1, 1, 3] zp=5
four:   .tdesc spm u8 16 [1, 1, 1, 4]
to:     .tdesc dram u8 out [1, 1, 1, 4]
.code
.in 0
  layer.begin 0
  tdesc.load  t0, three(x0)
  tdesc.load  t1, four(x0)
  tdesc.load  t2, to(x0)
  dma.fill    t0
  dma.out     t2, t1 wait(dmain)
  layer.end   0
.in none
  halt
