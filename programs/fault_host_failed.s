; The host layer's model is no model.
;;! [fault]
;;! kind = "host-failed"
;;! pc = 1
;;! instruction = "host 0"
;;! layer = "h"

.layer {"name": "h", "kind": "host", "host": true}
.buffer out, 4
.host {"layer": 0, "op_types": ["Softmax"], "reason": "float", "inputs": [], "outputs": [{"name": "out", "dtype": "f32", "shape": [1], "address": 4096}]}
.const
        .zero 8
.model
        .hex 00 11 22 33
.code
.in 0
  layer.begin 0
  host        0
  layer.end   0
.in none
  halt
