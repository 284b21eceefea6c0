; A layer ends that never began.
;;! [fault]
;;! kind = "layer-marker"
;;! pc = 0
;;! instruction = "layer.end   0"

.layer {"name": "l", "kind": "fill"}
.code
  layer.end   0
  halt
