.machine rcn-m
.const
a: .zero 1099511627776
.code
    halt
