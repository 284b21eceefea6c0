; t3 is used before anything was loaded into it.
;;! [fault]
;;! kind = "unset-descriptor"
;;! pc = 1
;;! instruction = "dma.fill t3"
;;! layer = "l"

.layer {"name": "l", "kind": "fill"}
.code
.in 0
  layer.begin 0
  dma.fill    t3
  layer.end   0
.in none
  halt
