; Sums into one accumulator tile while the vector unit reads another one. Both lie in the same bank, whose one read port
; they share; on a machine with banks of up to 16 KiB they would not meet.
;;! machines = ["rcn-s", "rcn-m", "rcn-l"]
;;! [output]
;;! y = [4, 4, 4, 4, 4, 4]

.layer {"name": "banks", "kind": "matmul", "macs": 24}
.buffer y, 6
.tensor y output u8 [2, 3] at y layer 0

.const
threes_a: .tdesc spm u8 0 [1, 1, 2, 4] zp=3
threes_b: .tdesc spm u8 64 [1, 1, 4, 3] zp=3
; Read with zero point 2, each of them is a one.
a:      .tdesc spm u8 0 [1, 1, 2, 4] zp=2
b:      .tdesc spm u8 64 [1, 1, 4, 3] zp=2
near:   .tdesc acc s32 0 [1, 1, 2, 3]
far:    .tdesc acc s32 0x5000 [1, 1, 2, 3]
result: .tdesc spm u8 128 [1, 1, 2, 3]
y_dram: .tdesc dram u8 y [1, 1, 2, 3]
scale:  .align 8
quant:  .qdesc m0=1

.code
.in 0
  layer.begin 0
  tdesc.load  t0, threes_a(x0)
  tdesc.load  t1, threes_b(x0)
  tdesc.load  t2, a(x0)
  tdesc.load  t3, b(x0)
  tdesc.load  t4, near(x0)
  tdesc.load  t5, far(x0)
  tdesc.load  t6, result(x0)
  tdesc.load  t7, y_dram(x0)
  qdesc.load  q0, quant(x0)
  dma.fill    t0
  dma.fill    t1
  mac.matmul  t5, t2, t3, t5 wait(dmain)
  mac.matmul  t4, t2, t3, t4
  vec.requant t6, t5, q0 wait(mac-1)
  mac.matmul  t4, t2, t3, t4 {acc}
  vec.requant t6, t5, q0
  mac.matmul  t4, t2, t3, t4 {acc}
  vec.requant t6, t5, q0
  dma.out     t7, t6 wait(vec)
  layer.end   0
.in none
  halt
