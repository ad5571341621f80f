# Tells what an upstream lacks. POSIX awk: mawk, gawk and busybox run it.
#
#   awk -f reconcile.awk context=http owned=0|1 part=wanted RS='\n' WANTED part=made LEDGER part=have RS='}' ANSWER
#   awk -f reconcile.awk context=http part=peers RS='}' ANSWER
#
# WANTED has a line for each server, as servers.tf writes it; LEDGER the servers that the
# module made, which count only with owned=1; ANSWER is the API's JSON. The first form
# prints POST, PATCH, DELETE, SURPLUS and FOREIGN lines: the word, id, server and body, with
# tabs between, quotes in bodies escaped as curl's configuration wants them. The second
# prints id and active connections.
#
# Records end at the braces that close objects, so that no string is longer than one
# server: a program over the whole text would take the square of its length in time.

part == "wanted" {
  split($0, field, "\t")
  order[++wants] = field[1]
  want[field[1]] = $0
  next
}
part == "made" { made[$0] = 1; next }

FNR > 1 && !torn { close_brace() }
{
  text = torn ? text "}" $0 : $0
  torn = unfinished(text)
  if (!torn) tokens(text)
}
END {
  # The brace at the end of all ends no record where nothing comes after it.
  if (part == "peers" && depth == 1 && text ~ /\][ \t\r\n]*$/) depth--
  # Something else than the API answered, or not all of the answer is there.
  if (depth != 0 || kind[1] != (part == "have" ? "[" : "{")) exit 1
  if (part != "have") exit
  # Servers of the list that answer to one address: the first stays, the others go.
  for (n = 1; n <= haves; n++) judge(n)
  for (n = 1; n <= wants; n++) if (!(order[n] in met)) print "POST\t-\t" order[n] "\t" whole(order[n])
  printf "%s", later
}

# Whether a string goes on after this text.
function unfinished(s) {
  gsub(/\\./, "", s)
  return gsub(/"/, "", s) % 2
}

function tokens(s, c, word) {
  while (s != "") {
    c = substr(s, 1, 1)
    if (c == "\"") {
      match(s, /^"([^"\\]|\\.)*"/)
      word = substr(s, 2, RLENGTH - 2)
      s = substr(s, RLENGTH + 1)
      if (s ~ /^[ \t\r\n]*:/ && kind[depth] == "{") name[depth] = word
      else value(word)
    } else if (match(s, /^[-+.0-9A-Za-z]+/)) {
      value(substr(s, 1, RLENGTH))
      s = substr(s, RLENGTH + 1)
    } else {
      if (c == "{" || c == "[") { kind[++depth] = c; name[depth] = "" }
      if (c == "{" && at_server()) split("", field)
      if (c == "]") depth--
      s = substr(s, 2)
    }
  }
}

# Whether the innermost object is a server of the list that is read.
function at_server() {
  if (part == "peers") return depth == 3 && name[1] == "peers"
  return depth == 2
}
function value(v) { if (kind[depth] == "{" && at_server()) field[name[depth]] = v }

function close_brace() {
  if (at_server()) {
    if (part == "peers") print field["id"] "\t" field["active"] + 0
    # What NGINX resolved from a name goes with the name.
    else if (field["id"] ~ /^[0-9]+$/ && !("parent" in field)) keep()
  }
  depth--
}

function keep() {
  haves++
  id[haves] = field["id"]
  server[haves] = place(field["server"])
  have[haves, "weight"] = or_else("weight", 1)
  have[haves, "max_conns"] = or_else("max_conns", 0)
  have[haves, "max_fails"] = or_else("max_fails", 1)
  have[haves, "fail_timeout"] = or_else("fail_timeout", "10s")
  have[haves, "slow_start"] = or_else("slow_start", "0s")
  have[haves, "backup"] = or_else("backup", "false")
  have[haves, "down"] = or_else("down", "false")
  have[haves, "drain"] = or_else("drain", "false")
}
function or_else(key, standard) { return key in field ? field[key] : standard }

# The address with its port: NGINX takes 80 for one without, in http.
function place(s) {
  s = tolower(s)
  if (context == "http" && s !~ /^unix:/ && s !~ /:[0-9]+$/ || s ~ /\]$/) s = s ":80"
  return s
}

function judge(n, s, body) {
  s = server[n]
  if (s in want && !(s in met)) {
    met[s] = 1
    if (owned && !(s in made)) { print "FOREIGN\t-\t" s "\t-"; return }
    split(want[s], field, "\t")
    if (have[n, "backup"] != field[7]) { # cannot be changed
      print "DELETE\t" id[n] "\t" s "\t-"
      print "POST\t-\t" s "\t" whole(s)
      return
    }
    body = change(n, "weight", field[2], field[2]) change(n, "max_conns", field[3], field[3]) change(n, "max_fails", field[4], field[4])
    body = body change(n, "fail_timeout", field[5], quoted(field[5])) change(n, "slow_start", field[6], quoted(field[6]))
    body = body change(n, "down", field[8], field[8]) change(n, "drain", field[9], field[9])
    if (body != "") print "PATCH\t" id[n] "\t" s "\t{" substr(body, 2) "}"
  } else if (!owned || s in made) {
    later = later "SURPLUS\t" id[n] "\t" s "\t" (have[n, context == "http" ? "drain" : "down"] == "true" ? "draining" : "serving") "\n"
  }
}

function change(n, key, wanted, json) {
  if (key ~ /_(timeout|start)$/ ? seconds(have[n, key]) == seconds(wanted) : have[n, key] == wanted) return ""
  return "," quoted(key) ":" json
}

function whole(s) {
  split(want[s], field, "\t")
  return "{" quoted("server") ":" quoted(s) "," quoted("weight") ":" field[2] "," quoted("max_conns") ":" field[3] "," \
    quoted("max_fails") ":" field[4] "," quoted("fail_timeout") ":" quoted(field[5]) "," quoted("slow_start") ":" quoted(field[6]) "," \
    quoted("backup") ":" field[7] "," quoted("down") ":" field[8] (field[9] == "true" ? "," quoted("drain") ":true" : "") "}"
}
function quoted(s) { return "\\\"" s "\\\"" }

# NGINX may write 60s as 1m, and 1m 30s as 1m30s.
function seconds(t, sum, count, unit) {
  while (match(t, /[0-9]+(ms|[smhdwMy])?/)) {
    unit = substr(t, RSTART, RLENGTH)
    count = unit + 0
    sub(/^[0-9]+/, "", unit)
    sum += count * (unit == "ms" ? 0.001 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86400 : unit == "w" ? 604800 : unit == "M" ? 2592000 : unit == "y" ? 31536000 : 1)
    t = substr(t, RSTART + RLENGTH)
  }
  return sum + 0
}
