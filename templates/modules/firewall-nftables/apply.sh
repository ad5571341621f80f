# Puts the sets of one nftables table and the rules of allow in place, or changes nothing.
#
#   SETS_0=… [SETS_1=…] LOCK_TIMEOUT=seconds sh apply.sh FILE TABLE NFT...
#
# The variables are the pieces of the gzipped, base64-coded commands that make the sets
# from nothing; NFT... is the command that runs nft. Runs with dash and busybox on Linux.
#
# What the kernel has is brought to what is wanted by one transaction that has only the
# differences: an element that stays is never touched, so that there is no moment without
# it. FILE is what makes the same at boot. Sets of this table whose name ends in _ip4,
# _ip6, _ip4_port or _ip6_port belong to this module, and the chains allow_input and
# allow_forward; nothing else is touched.
#
# Beside FILE, with a dot so that no include of *.nft takes them, while this runs:
#   .NAME.new      the content of this run
#   .NAME.change   the transaction
#   .NAME.live     what the kernel has
set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022
export LC_ALL=C

say() { printf 'firewall-nftables module: %s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}
# For those who hold the lock.
give_up() {
  rm -f "$new" "$change" "$live" "$kept"
  die "$@"
}
nap() { sleep 0.01 2>/dev/null || sleep 1; }
now() { read -r uptime _ </proc/uptime && echo "${uptime%.*}"; }

file=$1 table=$2
shift 2
dir=${file%/*}/
name=${file##*/}
new=$dir.$name.new
change=$dir.$name.change
live=$dir.$name.live
kept=$dir.$name.kept

for tool in flock base64 gzip awk cmp grep sed "$1"; do
  command -v "$tool" >/dev/null || die "cannot run $tool: it is not on PATH, install it on the machine that runs Terraform; nothing was changed"
done
[ ! -d "$file" ] || die "cannot write $file: it is a directory; nothing was changed"
[ -d "$dir" ] || die "cannot write $file: the directory is missing, create it and include the file in nftables' configuration; nothing was changed"
[ -w "$dir" ] || die "cannot write $file: no right to write to its directory, run as a user who may; nothing was changed"
deadline=$(($(now) + LOCK_TIMEOUT))

# Two runs must not work from each other's unfinished state. The kernel frees this lock
# when its holder dies. (busybox's flock cannot wait for a bounded time by itself.)
exec 9<"$dir" || die "cannot lock $dir; nothing was changed"
until flock -n 9; do
  [ "$(now)" -lt $deadline ] || die "cannot lock $dir: another run has held it for $LOCK_TIMEOUT s; nothing was changed"
  nap
done

# The second line of FILE says whose table it is: of two modules with one table, each
# would remove what the other makes.
mark="# Table: inet $table"
for other in "$dir"*; do
  [ "$other" != "$file" ] && [ -f "$other" ] || continue
  if sed 2q "$other" 2>/dev/null | grep -qxF "$mark"; then
    die "table inet $table belongs to $other already; nothing was changed; give each use of the module a table of its own, or remove $other if nothing writes it any more"
  fi
done
if [ -e "$file" ] && ! sed 2q "$file" | grep -qxF "$mark"; then
  die "$file was not written for table inet $table; nothing was changed; if the table was renamed, let your rules use the new one, remove the old one (nft delete table inet NAME) and $file, and run again; if it is a file of yours, choose another file_path"
fi

unpack() {
  n=0
  while eval "piece=\${SETS_$n-}" && [ -n "$piece" ]; do
    printf %s "$piece"
    n=$((n + 1))
  done | base64 -d | gzip -dc
}
{
  printf '# Sets from Consul. Written by Terraform: the next run overwrites changes.\n%s\n\nadd table inet %s\n' "$mark" "$table"
  unpack
} >"$new" || give_up "cannot write $new; nothing was changed"

# A table that is not there is an empty one, all other errors are errors.
if ! "$@" -n list table inet "$table" >"$live" 2>"$change"; then
  if ! tables=$("$@" list tables 2>"$change"); then
    cat "$change" >&2
    give_up "nft cannot read the firewall (its message is above); nothing was changed; run as a user who may (root, or CAP_NET_ADMIN) or see nft_command"
  fi
  if printf '%s\n' "$tables" | grep -qx "table inet $table"; then
    cat "$change" >&2
    give_up "nft cannot list table inet $table (its message is above); nothing was changed"
  fi
  : >"$live"
fi
before=$file
[ -e "$before" ] || before=/dev/null

# Writes the transaction to $change, empty when there is nothing to do, and to $kept
# the sets that stay, empty, only because a rule uses them.
: >"$change" && : >"$kept" || give_up "cannot write to $dir; nothing was changed"
said=$(awk -v table="$table" -v change="$change" -v kept="$kept" '
function ours(set) { return set ~ /_ip[46](_port)?$/ }
function type(set) {
  return "{ type " (set ~ /_ip4(_port)?$/ ? "ipv4_addr" : "ipv6_addr") (set ~ /_port$/ ? " . inet_service" : "") "; }"
}
function block(verb, set, list) { if (list != "") print verb " element inet " table " " set " {\n" list "}" >change }
# A line of the listing inside elements = { … }.
function members(text,    n, part, i) {
  if (text ~ /[}]/) { inside = 0; sub(/[}].*/, "", text) }
  n = split(text, part, ",")
  for (i = 1; i <= n; i++) {
    gsub(/^[ \t]+|[ \t]+$/, "", part[i])
    if (part[i] == "") continue
    # Not as this module writes it, such as with a comment: the set is filled anew.
    if (part[i] !~ /^[0-9a-f:.]+( [.] [0-9]+)?$/) odd[set] = 1
    has[set, part[i]] = 1
    held[set] = held[set] "\n" part[i]
  }
}

what == "before" { if ($1 ~ /^(add|flush)$/ && $2 ~ /^(chain|rule)$/) rules_before = rules_before $0 "\n"; next }

what == "live" && inside { members($0); next }
what == "live" && set != "" && $1 == "type" { sub(/^[ \t]+/, ""); kind[set] = "{ " $0 "; }"; next }
what == "live" && set != "" && $1 == "flags" { kind[set] = kind[set] " with flags " $2; next }
# One tab, as only what stands in the table itself has: a set, a chain, a map, ….
what == "live" && /^\t[a-z].*[{]$/ {
  set = $1 == "set" ? $2 : ""
  chain = $1 == "chain" ? $2 : ""
  if (set != "") there[set] = 1
  if (chain != "") chains[chain] = 1
  next
}
what == "live" && $1 == "elements" && set != "" { inside = 1; sub(/^[^{]*[{]/, ""); members($0); next }
what == "live" {
  while (match($0, /@[^ \t,;}]+/)) {
    name = substr($0, RSTART + 1, RLENGTH - 1)
    if (chain == "allow_input" || chain == "allow_forward") own[name] = 1
    else used[name] = 1
    $0 = substr($0, RSTART + RLENGTH)
  }
  next
}

filling { if ($0 == "}") filling = ""; else { sub(/^[ \t]+/, ""); sub(/,$/, ""); wants[filling, $0] = 1; list[filling] = list[filling] "\n" $0 }; next }
$1 == "add" && $2 == "set" { wanted[$5] = 1; line[$5] = $0; next }
$1 == "add" && $2 == "element" { filling = $5; next }
$2 == "chain" || $2 == "rule" { rules = rules $0 "\n"; if ($1 == "add" && $2 == "chain") { chain_wanted[$5] = 1; if (!($5 in chains)) rewrite = 1 } }

END {
  for (set in wanted) if ((set in there) && kind[set] != type(set)) {
    print "set " set " of table inet " table " was declared as " kind[set] " by somebody else, and this module needs " type(set)
    wrong = 1
  }
  if (wrong) exit 1
  if (rules != rules_before) rewrite = 1
  for (set in own) if (!(set in wanted)) rewrite = 1
  for (set in wanted) if (!(set in there)) print line[set] >change
  for (set in wanted) {
    gone = added = ""
    if (set in odd) { print "flush set inet " table " " set >change; held[set] = "" }
    n = split(substr(held[set], 2), part, "\n")
    for (i = 1; i <= n; i++) if (!((set, part[i]) in wants)) gone = gone part[i] ",\n"
    n = split(substr(list[set], 2), part, "\n")
    for (i = 1; i <= n; i++) if ((set in odd) || !((set, part[i]) in has)) added = added part[i] ",\n"
    block("delete", set, gone)
    block("add", set, added)
  }
  split("allow_input allow_forward", both, " ")
  for (i = 1; i <= 2; i++) if ((both[i] in chains) && !(both[i] in chain_wanted)) {
    print "flush chain inet " table " " both[i] >change
    print "delete chain inet " table " " both[i] >change
  }
  if (rewrite) printf "%s", rules >change
  for (set in there) if (ours(set) && !(set in wanted)) {
    if (set in used) {
      print "add set inet " table " " set " " type(set) "\nflush set inet " table " " set >kept
      if (held[set] != "") print "flush set inet " table " " set >change
    } else print "delete set inet " table " " set >change
  }
}' what=before "$before" what=live "$live" what=new "$new") || give_up "cannot compare the sets${said:+: $said}; nothing was changed, the firewall is as before; correct or delete them; the next run tries again"

if [ -s "$kept" ]; then
  { echo "# Of services that are gone: empty, but rules use them."; sort "$kept"; } >>"$new" || give_up "cannot write $new; nothing was changed"
fi
if [ ! -s "$change" ] && [ -s "$live" ] && cmp -s "$new" "$file"; then
  rm -f "$new" "$change" "$live" "$kept"
  exit 0
fi
[ -s "$live" ] || { cat "$new" >"$change" || give_up "cannot write $change; nothing was changed"; }

# Both are tried first: the file that the next boot reads, and the change.
if ! "$@" -c -f "$new" || ! "$@" -c -f "$change"; then
  give_up "nft refused the new sets (its message is above); nothing was changed, the firewall is as before; the next run tries again"
fi
if [ -s "$change" ] && ! "$@" -f "$change"; then
  give_up "nft could not make the change (its message is above), which is one transaction: nothing was changed, the firewall is as before; the next run tries again"
fi
mv -f "$new" "$file" || give_up "the firewall has the new sets, but $file could not be replaced and would bring back the old ones at boot; make its directory writable; the next run tries again"
rm -f "$change" "$live" "$kept"
