; The code ends without `halt`.
;;! [fault]
;;! kind = "pc-out-of-range"
;;! pc = 2
;;! layer = "pc out of range"

.layer {"name": "pc out of range", "kind": "fault"}
.code
.in 0
  layer.begin 0
  nop
