; Loads of constants over what other loads have brought, in part. Where nobody reads what a load brings, it is not executed; here
; the end of the first one shows behind the second, and the third shows around the fourth, in cells that they share.
;;! machines = ["rcn-s", "rcn-m", "rcn-l"]
;;! [output]
;;! y = [200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 9, 9, 9, 9]

.layer {"name": "loads", "kind": "copy"}
.buffer y, 200
.tensor y output u8 [200] at y layer 0

.const
first_dram:  .tdesc dram u8 first [1, 1, 1, 128]
first_spm:   .tdesc spm u8 0 [1, 1, 1, 128]
second_dram: .tdesc dram u8 second [1, 1, 1, 72]
second_spm:  .tdesc spm u8 0 [1, 1, 1, 72]
third_dram:  .tdesc dram u8 third [1, 1, 1, 72]
third_spm:   .tdesc spm u8 128 [1, 1, 1, 72]
fourth_dram: .tdesc dram u8 fourth [1, 1, 1, 4]
fourth_spm:  .tdesc spm u8 196 [1, 1, 1, 4]
all:         .tdesc spm u8 0 [1, 1, 1, 200]
y_dram:      .tdesc dram u8 y [1, 1, 1, 200]
        .align 64
first:
        .u8 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32
        .u8 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64
        .u8 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96
        .u8 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128
        .align 64
second:
        .u8 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200
        .u8 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200
        .u8 200, 200, 200, 200, 200, 200, 200, 200
        .align 64
third:
        .u8 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7
        .u8 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7
        .u8 7, 7, 7, 7, 7, 7, 7, 7
        .align 64
fourth:
        .u8 9, 9, 9, 9

.code
.in 0
  layer.begin 0
  tdesc.load  t0, first_dram(x0)
  tdesc.load  t1, first_spm(x0)
  tdesc.load  t2, second_dram(x0)
  tdesc.load  t3, second_spm(x0)
  tdesc.load  t4, third_dram(x0)
  tdesc.load  t5, third_spm(x0)
  tdesc.load  t6, fourth_dram(x0)
  tdesc.load  t7, fourth_spm(x0)
  tdesc.load  t8, all(x0)
  tdesc.load  t9, y_dram(x0)
  dma.in      t1, t0
  dma.in      t3, t2
  dma.in      t5, t4
  dma.in      t7, t6
  dma.out     t9, t8 wait(dmain)
  layer.end   0
.in none
  halt
