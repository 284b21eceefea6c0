; There is no host layer 5.
;;! [fault]
;;! kind = "unknown-host"
;;! pc = 0
;;! instruction = "host        5"

.code
  host        5
  halt
