; Bit 127 of a `nop` is reserved.
;;! [fault]
;;! kind = "illegal-instruction"
;;! pc = 1
;;! instruction = ".word 0x80000000000000000000000000000001"

.code
  nop
  .word 0x80000000000000000000000000000001
  halt
