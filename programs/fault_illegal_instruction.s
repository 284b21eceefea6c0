; Bit 127 of a `nop` is reserved.
;;! [fault]
;;! kind = "illegal-instruction"
;;! pc = 1
;;! instruction = ".word 0x80000000000000000000000000000001"
;;! layer = "illegal instruction"

.layer {"name": "illegal instruction", "kind": "fault"}
.code
.in 0
  nop
  .word 0x80000000000000000000000000000001
  halt
