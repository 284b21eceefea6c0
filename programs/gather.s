; Rows of a table of four rows in the constants, by ids that are an input: from the beginning, from the end, twice the
; same. The result is padded to lanes of four.
;;! machines = ["rcn-s", "rcn-m", "rcn-l"]
;;! [input]
;;! ids = [2, -1, 0, 2, -4]
;;! [output]
;;! y = [31, 32, 33, 41, 42, 43, 11, 12, 13, 31, 32, 33, 11, 12, 13]
;;! [[memory]]
;;! space = "spm"
;;! address = 0x100
;;! type = "u8"
;;! values = [31, 32, 33, 7, 41, 42, 43, 7, 11, 12, 13, 7, 31, 32, 33, 7, 11, 12, 13, 7]

.layer {"name": "rows", "kind": "gather"}
.buffer list, 40
.buffer result, 15
.tensor ids input s64 [5] at list
.tensor y output u8 [5, 3] at result layer 0

.const
table:  .u8 11, 12, 13, 21, 22, 23, 31, 32, 33, 41, 42, 43
        .align 8
from:   .tdesc dram u8 table [1, 1, 4, 3]
list_d: .tdesc dram s64 list [1, 1, 1, 5]
list_s: .tdesc spm s64 0 [1, 1, 1, 5]
rows:   .tdesc spm u8 0x100 [1, 1, 5, 3] lanes=4 zp=7
to:     .tdesc dram u8 result [1, 1, 5, 3]
read:   .tdesc spm u8 0x100 [1, 1, 5, 3] lanes=4

.code
.in 0
  layer.begin 0
  tdesc.load  t0, list_d(x0)
  tdesc.load  t1, list_s(x0)
  tdesc.load  t2, from(x0)
  tdesc.load  t3, rows(x0)
  tdesc.load  t4, to(x0)
  tdesc.load  t5, read(x0)
  dma.in      t1, t0
  dma.gather  t3, t2, t1 wait(dmain)
  dma.out     t4, t5 wait(dmain)
  layer.end   0
.in none
  halt
