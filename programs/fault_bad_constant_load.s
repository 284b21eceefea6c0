; A load of 8 bytes from address 4.
;;! [fault]
;;! kind = "bad-constant-load"
;;! pc = 0
;;! instruction = "ld.d x1, 4(x0)"
;;! layer = "bad constant load"

.layer {"name": "bad constant load", "kind": "fault"}
.const
        .s64 1, 2
.code
.in 0
  ld.d        x1, 4(x0)
  halt
