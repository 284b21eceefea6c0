; A loop nest: for i in 0..3, for j in 0..4, five bytes of value 10 i + j, one block behind the other. Scalars steer the
; descriptor: its base moves, its zero point is what dma.fill writes.
;;! machines = ["rcn-s", "rcn-m", "rcn-l"]
;;! [output]
;;! y = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 12, 12, 12, 12, 12, 13, 13, 13, 13, 13, 20, 20, 20, 20, 20, 21, 21, 21, 21, 21, 22, 22, 22, 22, 22, 23, 23, 23, 23, 23]

.layer {"name": "blocks", "kind": "fill"}
.buffer y, 60
.tensor y output u8 [3, 4, 5] at y layer 0

.const
block:  .tdesc spm u8 0 [1, 1, 1, 5]
all:    .tdesc spm u8 0 [1, 3, 4, 5]
y_dram: .tdesc dram u8 y [1, 3, 4, 5]

.code
.in 0
  layer.begin 0
  tdesc.load  t0, block(x0)
  tdesc.load  t1, all(x0)
  tdesc.load  t2, y_dram(x0)
  li          x5, 3
  li          x6, 4
  li          x7, 5
  li          x1, 0
outer:
  li          x2, 0
inner:
  muli        x3, x1, 10
  add         x3, x3, x2
  tdesc.set   t0.zp, x3
  dma.fill    t0
  tdesc.add   t0.base, x7
  addi        x2, x2, 1
  blt         x2, x6, inner
  addi        x1, x1, 1
  blt         x1, x5, outer
  dma.out     t2, t1 wait(dmain)
  layer.end   0
.in none
  halt
