; A loop without end.
;;! max_instructions = 1000
;;! [fault]
;;! kind = "watchdog"
;;! pc = 0
;;! instruction = "jal x0, +0"
;;! layer = "forever"

.layer {"name": "forever", "kind": "fault"}
.code
.in 0
forever:
  jal         x0, forever
