; A record whose lane block is 3.
;;! [fault]
;;! kind = "bad-descriptor"
;;! pc = 1
;;! instruction = "tdesc.load t1, 64(x0)"
;;! layer = "bad descriptor"

.layer {"name": "bad descriptor", "kind": "fault"}
.const
record: .tdesc spm u8 0 [1, 1, 1, 1]
broken: .zero 62
        .u8 3, 0
.code
.in 0
  tdesc.load  t0, record(x0)
  tdesc.load  t1, broken(x0)
  halt
