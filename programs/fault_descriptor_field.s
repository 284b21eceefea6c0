; A zero point takes 32 bits.
;;! [fault]
;;! kind = "descriptor-field"
;;! pc = 2
;;! instruction = "tdesc.set t0.zp, x1"
;;! layer = "descriptor field"

.layer {"name": "descriptor field", "kind": "fault"}
.const
record: .tdesc spm u8 0 [1, 1, 1, 1]
.code
.in 0
  tdesc.load  t0, record(x0)
  li          x1, 0x100000000
  tdesc.set   t0.zp, x1
  halt
