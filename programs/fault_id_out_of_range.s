; The third of four ids is one more than the table of two rows has.
;;! [input]
;;! ids = [1, -2, 2, 5]
;;! [fault]
;;! kind = "id-out-of-range"
;;! pc = 6
;;! instruction = "dma.gather t3, t2, t1 wait(dmain)"
;;! layer = "rows"
;;! reason = "id 2 at index 2 of the ids is outside the table, which has 2 rows: ids are -2 to 1"

.layer {"name": "rows", "kind": "gather"}
.buffer list, 16
.tensor ids input s32 [4] at list

.const
table:  .u8 11, 12, 21, 22
        .align 8
from:   .tdesc dram u8 table [1, 1, 2, 2]
list_d: .tdesc dram s32 list [1, 1, 1, 4]
list_s: .tdesc spm s32 0 [1, 1, 1, 4]
rows:   .tdesc spm u8 0x100 [1, 1, 4, 2]

.code
.in 0
  layer.begin 0
  tdesc.load  t0, list_d(x0)
  tdesc.load  t1, list_s(x0)
  tdesc.load  t2, from(x0)
  tdesc.load  t3, rows(x0)
  dma.in      t1, t0
  dma.gather  t3, t2, t1 wait(dmain)
  layer.end   0
.in none
  halt
