; A product of two activations with bias: [3, 5] x [5, 18], zero points 7 and -3, requantized with multiplier 1/64 and
; zero point 100.
;;! machines = ["rcn-s", "rcn-m", "rcn-l"]
;;! [input]
;;! a = [233, 1, 127, 210, 33, 204, 30, 119, 209, 77, 87, 71, 184, 65, 253]
;;! b = [-15, -6, 1, 21, 13, 2, 126, 78, 74, 51, 31, -41, 125, -9, -73, 88, -87, 91, 28, -99, -117, -15, -119, -92, 3, 120, -9, 78, 106, 82, 33, -16, 3, -60, -1, -31, -65, 126, -125, -104, -79, 120, 49, 97, -77, 56, -34, -3, -128, 30, 84, 41, -89, 8, -60, 119, 97, -81, 2, 112, 88, 53, 35, -118, 61, -7, -105, -66, 10, 58, 1, 28, 95, 47, -36, 36, 25, -101, -113, 41, -29, 25, -46, -71, -90, -31, 80, -26, -31, 19]
;;! [output]
;;! y = [0, 255, 201, 0, 54, 255, 255, 255, 255, 47, 255, 0, 0, 0, 86, 255, 0, 255, 0, 255, 139, 0, 23, 255, 255, 255, 255, 73, 255, 0, 0, 0, 167, 255, 0, 255, 255, 255, 0, 0, 0, 84, 73, 255, 0, 255, 53, 0, 0, 4, 255, 238, 0, 255]
;;! [[memory]]
;;! space = "acc"
;;! address = 0
;;! type = "s32"
;;! values = [-18883, 41336, 6479, -21505, -2960, 37166, 51108, 42127, 15772, -3363, 14834, -11617, -9316, -10978, -880, 37525, -29330, 29923, -12771, 39685, 2481, -19947, -4953, 29029, 42194, 44425, 12775, -1705, 15301, -11038, -14710, -12614, 4267, 31808, -27384, 27234, 11330, 35717, -30799, -11716, -12313, -1018, -1737, 46171, -11338, 20621, -3007, -14499, -36959, -6156, 31094, 8852, -28568, 15211]

.layer {"name": "product", "kind": "matmul", "macs": 270}
.buffer a, 15
.buffer b, 90
.buffer y, 54
.tensor a input u8 [3, 5] at a
.tensor b input s8 [5, 18] at b
.tensor y output u8 [3, 18] at y layer 0

.const
a_dram: .tdesc dram u8 a [1, 1, 3, 5] zp=7
b_dram: .tdesc dram s8 b [1, 1, 5, 18] zp=-3
y_dram: .tdesc dram u8 y [1, 1, 3, 18]
a_spm:  .tdesc spm u8 0 [1, 1, 3, 5] zp=7
b_spm:  .tdesc spm s8 64 [1, 1, 5, 18] zp=-3
bias:   .s32 478, -108, 89, -61, 105, -55, 137, 47, 176, 456, -350, 61, -60, -143, -261, -448, -98, 326
bias_from: .tdesc dram s32 bias [1, 1, 1, 18]
bias_spm:  .tdesc spm s32 256 [1, 1, 1, 18]
sums:   .tdesc acc s32 0 [1, 1, 3, 18]
y_spm:  .tdesc spm u8 512 [1, 1, 3, 18]
scale:  .align 8
quant:  .qdesc zp=100 m0=0.015625

.code
.in 0
  layer.begin 0
  tdesc.load  t0, a_dram(x0)
  tdesc.load  t1, a_spm(x0)
  tdesc.load  t2, b_dram(x0)
  tdesc.load  t3, b_spm(x0)
  tdesc.load  t4, bias_from(x0)
  tdesc.load  t5, bias_spm(x0)
  tdesc.load  t6, sums(x0)
  tdesc.load  t7, y_spm(x0)
  tdesc.load  t8, y_dram(x0)
  qdesc.load  q0, quant(x0)
  dma.in      t1, t0
  dma.in      t3, t2
  dma.in      t5, t4
  mac.matmul  t6, t1, t3, t5 {bias} wait(dmain)
  vec.requant t7, t6, q0 wait(mac)
  dma.out     t8, t7 wait(vec)
  layer.end   0
.in none
  halt
