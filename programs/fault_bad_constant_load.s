; A load of 8 bytes from address 4.
;;! [fault]
;;! kind = "bad-constant-load"
;;! pc = 0
;;! instruction = "ld.d        x1, 4(x0)"

.const
        .s64 1, 2
.code
  ld.d        x1, 4(x0)
  halt
