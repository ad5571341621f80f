# Prints what the Runtime API must be told so that HAProxy's servers are as wanted.
#
#   PREFIX='@1 ' awk -f commands.awk SLOTS STATE
#
# SLOTS is of slots.awk, STATE the answer to "show servers state". Each line printed
# is a number of commands and these commands, in one line that fits HAProxy's buffer.
# Exits with 3 when HAProxy lacks a slot, so that only a reload helps.
#
# What takes traffic comes before what ends it, so that no backend is empty between.

function tell(command) {
  if (rising) up[++ups] = command
  else down[++downs] = command
}
function pack(command) {
  command = ENVIRON["PREFIX"] command
  if (length(line) + length(command) > 8000) flush_line()
  line = line (line == "" ? "" : ";") command
  packed++
}
function flush_line() {
  if (packed) print packed, line
  line = ""; packed = 0
}

FILENAME == ARGV[1] {
  host[$1, $2] = $3; port[$1, $2] = $4; weight[$1, $2] = $5; state[$1, $2] = $6
  missing++
  next
}
NF < 19 || !(($2, $4) in state) { next }
{
  missing--
  server = "set server " $2 "/" $4
  is_maint = $7 % 2; is_drain = int($7 / 8) % 2
  wanted = state[$2, $4]
  rising = wanted == "ready" && weight[$2, $4] > 0
  if (wanted == "maint" && !is_maint) tell(server " state maint")
  if (host[$2, $4] != "-" && (host[$2, $4] != $5 || port[$2, $4] != $19))
    tell(server " addr " host[$2, $4] " port " port[$2, $4])
  if (wanted == "ready" && weight[$2, $4] != $8) tell(server " weight " weight[$2, $4])
  if (wanted == "ready" && (is_maint || is_drain)) tell(server " state ready")
  if (wanted == "drain" && (is_maint || !is_drain)) tell(server " state drain")
}
END {
  if (missing > 0) exit 3
  for (n = 1; n <= ups; n++) pack(up[n])
  for (n = 1; n <= downs; n++) pack(down[n])
  flush_line()
}
