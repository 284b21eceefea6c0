; The scalar unit: results leave it through the zero point of a fill, the only way into memory.
;;! [[memory]]
;;! space = "spm"
;;! address = 0
;;! type = "s32"
;;! values = [42, -6, -2, 1073741823, 1, 0, 7, 9, 21]

.const
word:   .tdesc spm s32 0 [1, 1, 1, 1]
number: .s64 -0x7fffffff00000009

.code
  tdesc.load  t0, word(x0)
  li          x31, 4
  ; products and differences
  li          x1, 6
  li          x2, 7
  mul         x3, x1, x2
  jal         x30, put
  li          x1, -13
  add         x3, x1, x2
  jal         x30, put
  ; shifts: arithmetic keeps the sign, logical does not
  li          x1, -8
  li          x2, 2
  sra         x3, x1, x2
  jal         x30, put
  li          x4, 34
  srl         x3, x1, x4
  jal         x30, put
  ; comparison is signed
  slt         x3, x1, x0
  jal         x30, put
  slt         x3, x0, x1
  jal         x30, put
  ; bits
  li          x1, 0xff
  andi        x3, x1, 7
  jal         x30, put
  ; a load sign-extends
  ld.w        x1, number(x0)
  mini        x3, x1, 9
  maxi        x3, x3, 9
  jal         x30, put
  ; x0 ignores writes
  li          x0, 99
  addi        x3, x0, 21
  jal         x30, put
  halt
put:
  tdesc.set   t0.zp, x3
  dma.fill    t0
  tdesc.add   t0.base, x31
  jalr        x0, x30, 0
