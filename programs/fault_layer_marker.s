; A layer ends that never began.
;;! [fault]
;;! kind = "layer-marker"
;;! pc = 0
;;! instruction = "layer.end 0"
;;! layer = "layer marker"

.layer {"name": "layer marker", "kind": "fill"}
.code
.in 0
  layer.end   0
  halt
