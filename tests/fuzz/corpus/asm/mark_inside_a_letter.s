.machine rcn-m
.code
  ä é‮ x0, "
.name "é
