; The code ends without `halt`.
;;! [fault]
;;! kind = "pc-out-of-range"
;;! pc = 2

.code
  nop
  nop
