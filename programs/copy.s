; Copies a tensor from DRAM to the scratchpad and back, as one layer.
;;! machines = ["rcn-s", "rcn-m", "rcn-l"]
;;! [input]
;;! x = [241, 160, 175, 229, 148, 198, 213, 57, 14, 76, 72, 223]
;;! [output]
;;! y = [241, 160, 175, 229, 148, 198, 213, 57, 14, 76, 72, 223]
;;! [[memory]]
;;! space = "spm"
;;! address = 0x100
;;! type = "u8"
;;! values = [241, 160, 175, 229, 148, 198, 213, 57, 14, 76, 72, 223]

.layer {"name": "copy", "kind": "copy"}
.buffer source, 12
.buffer result, 12
.tensor x input u8 [3, 4] at source
.tensor y output u8 [3, 4] at result layer 0

.const
from:   .tdesc dram u8 source [1, 1, 3, 4]
there:  .tdesc spm u8 0x100 [1, 1, 3, 4]
to:     .tdesc dram u8 result [1, 1, 3, 4]

.code
.in 0
  layer.begin 0
  tdesc.load  t0, from(x0)
  tdesc.load  t1, there(x0)
  tdesc.load  t2, to(x0)
  dma.in      t1, t0
  dma.out     t2, t1 wait(dmain)
  layer.end   0
.in none
  halt
