; The layer ends before its tensor is stored.
;;! [fault]
;;! kind = "incomplete-tensor"
;;! pc = 1
;;! instruction = "layer.end 0"
;;! layer = "l"

.layer {"name": "l", "kind": "fill"}
.buffer out, 4
.tensor out output u8 [4] at out layer 0
.code
.in 0
  layer.begin 0
  layer.end   0
.in none
  halt
