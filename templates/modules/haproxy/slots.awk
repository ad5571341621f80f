# Gives every instance a server of its backend, a slot, and prints HAProxy's file.
#
#   SLOTS=path awk -f slots.awk CURRENT WANTED
#
# CURRENT is the live file of this module, WANTED what Terraform has: a first line
# that is left aside, and then one line each:
#   B backend spare from       a backend, its spare slots, its defaults section or -
#   L text                     a line of its section
#   M host port weight state   an instance; state is ready, drain or maint
# SLOTS gets one line for each slot, in the order of the file:
#   backend slot host port weight state; host and port are - where they are not to be set
#
# An instance keeps the slot that it has, for all that HAProxy knows of a server
# hangs on it: connections, statistics, its place in a hash. A new one takes a slot
# that was spare before it takes one that was left just now. Only when all are taken,
# or a backend has far too many, is the number of slots changed, which needs a reload.

function emit(    n, i, key, old, want, slots, next_free, free, line, h, name) {
  if (backend == "") return
  want = count + (spare > count / 4 ? spare : int((count + 3) / 4))
  if (want < 1) want = 1
  slots = had[backend] + 0
  if (slots < count || slots < 1 || slots > 4 * want) {
    if (slots > want) # too many: counted anew
      for (n = 1; n <= slots; n++) delete used[backend, n]
    else
      old = slots
    slots = want
  } else {
    old = slots
  }
  split("", holder); split("", placed)
  for (i = 1; i <= count; i++) {
    h = hosts[i]
    key = backend SUBSEP (index(h, ":") ? "[" h "]" : h) ":" ports[i]
    if (!old || !(key in places) || places[key] == "") continue
    n = places[key] + 0 # the first number of the list
    sub(/^[0-9]+ ?/, "", places[key])
    holder[n] = i; placed[i] = 1
  }
  next_free = 0
  for (n = 1; n <= slots; n++) if (!(n in holder) && !((backend, n) in used)) free[++next_free] = n
  for (n = 1; n <= slots; n++) if (!(n in holder) && ((backend, n) in used)) free[++next_free] = n
  next_free = 0
  for (i = 1; i <= count; i++) if (!(i in placed)) holder[free[++next_free]] = i
  for (n = 1; n <= slots; n++) {
    if (!(n in holder)) {
      print "  server s" n " 127.0.0.1:1 disabled # spare"
      print backend, "s" n, "-", "-", "-", "maint" > ENVIRON["SLOTS"]
      continue
    }
    i = holder[n]; h = hosts[i]
    # A name is for HAProxy's start alone, and one that does not resolve stops nobody.
    name = h ~ /[A-Za-z]/ && !index(h, ":")
    line = "  server s" n " " (index(h, ":") ? "[" h "]" : h) ":" ports[i] " weight " (states[i] == "drain" ? 0 : weights[i])
    print line (states[i] == "maint" ? " disabled" : "") (name ? " init-addr last,libc,none" : "")
    print backend, "s" n, name ? "-" : h, name ? "-" : ports[i], weights[i], states[i] > ENVIRON["SLOTS"]
  }
}

FILENAME == ARGV[1] {
  if ($1 == "backend") {
    backend = $2
  } else if ($1 == "server" && $2 ~ /^s[0-9]+$/) {
    number = substr($2, 2) + 0
    if (number > had[backend]) had[backend] = number
    if ($NF != "spare") {
      used[backend, number] = 1
      places[backend, $3] = places[backend, $3] (places[backend, $3] == "" ? "" : " ") number
    }
  }
  next
}
!started { # the first line of WANTED, also when CURRENT is empty
  started = 1; backend = ""
  printf "" > ENVIRON["SLOTS"]
  print "# Backends from Consul. Written by Terraform: the next run overwrites changes."
}
$1 == "B" {
  emit()
  backend = $2; spare = $3 + 0; count = 0
  print ""
  print "backend " backend ($4 == "-" ? "" : " from " $4)
}
$1 == "L" { print substr($0, 3) }
$1 == "M" {
  count++
  hosts[count] = $2; ports[count] = $3; weights[count] = $4; states[count] = $5
}
END { emit() }
