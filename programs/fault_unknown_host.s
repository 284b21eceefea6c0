; There is no host layer 5.
;;! [fault]
;;! kind = "unknown-host"
;;! pc = 0
;;! instruction = "host 5"
;;! layer = "unknown host"

.layer {"name": "unknown host", "kind": "fault"}
.code
.in 0
  host        5
  halt
