# Makes HAProxy serve the backends that Terraform has, or changes nothing: what the
# Runtime API can change while HAProxy runs, all else by a reload.
#
#   BACKENDS_0=… [BACKENDS_1=…] RELOAD_TIMEOUT=seconds \
#     sh apply.sh FILE MASTER_SOCKET STATS_SOCKET|- HAPROXY...
#
# The variables are the pieces of gzipped, base64-coded lines, which slots.awk tells
# of; HAPROXY... is the command that checks the whole configuration when -c is added.
# Runs with dash and busybox on Linux. Files of its own beside FILE start with a dot
# and do not end in .cfg, so that HAProxy reads none of them from a directory:
#   .NAME.want .NAME.new .NAME.slots .NAME.state .NAME.todo .NAME.said  of this run
#   .NAME.old      what HAProxy started with while FILE is newer than that
#   .NAME.pending  FILE is in place, but HAProxy may not serve it yet; holds "reload"
#                  where the Runtime API is not enough
set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022
export LC_ALL=C

say() { printf 'haproxy module: %s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}
tidy() { rm -f "$want" "$new" "$slots" "$state" "$todo" "$said"; }
# For those who hold the lock.
give_up() {
  tidy
  die "$@"
}
nap() { sleep 0.01 2>/dev/null || sleep 1; }
now() { read -r uptime _ </proc/uptime && echo "${uptime%.*}"; }

here=${0%/*}
file=$1
master=$2
stats=$3
shift 3
dir=${file%/*}/
own=$dir.${file##*/}
want=$own.want new=$own.new slots=$own.slots state=$own.state todo=$own.todo said=$own.said
old=$own.old pending=$own.pending

for tool in flock base64 gzip cmp awk sed grep "$1"; do
  command -v "$tool" >/dev/null || die "cannot run $tool: it is not on PATH, install it on the machine that runs Terraform; nothing was changed"
done
# shellcheck source-path=SCRIPTDIR source=talk.sh
. "$here/talk.sh"
client=$(find_client) || die "cannot talk to HAProxy's sockets: neither socat, perl, python3, an nc that knows -N and -U nor patchbay is on PATH, install one of them (socat is the smallest) on the machine that runs Terraform; nothing was changed"
[ -d "$dir" ] || die "cannot write $file: the directory is missing, create it; nothing was changed"
[ -w "$dir" ] || die "cannot write $file: no right to write to its directory, run as a user who may; nothing was changed"
deadline=$(($(now) + RELOAD_TIMEOUT))

# Two runs must not test each other's unfinished work. The kernel frees this lock
# when its holder dies. (busybox's flock cannot wait for a bounded time by itself.)
exec 9<"$dir" || die "cannot lock $dir"
until flock -n 9; do
  [ "$(now)" -lt $deadline ] || die "cannot lock $dir: another run has held it for $RELOAD_TIMEOUT s; nothing was changed"
  nap
done

unpack() {
  n=0
  while eval "piece=\${BACKENDS_$n-}" && [ -n "$piece" ]; do
    printf %s "$piece"
    n=$((n + 1))
  done | base64 -d | gzip -dc
}
# The file without what the Runtime API can change: all of a server but a host name.
structure() { sed -e 's/^\(  server s[0-9]* [^ ]*\) .* init-addr .*/\1/;t' -e 's/^\(  server s[0-9]*\) .*/\1/' "$1"; }
# Tells whether the file is of this module, or one to start with that has backends only.
is_ours() {
  awk '/^# Backends from Consul\./ { exit } NF && $1 !~ /^#/ && $1 != "backend" { bad = 1; exit } END { exit bad }' "$file"
}

current=$file
if [ ! -s "$file" ]; then
  current=/dev/null
elif ! is_ours; then
  give_up "cannot take $file: it was not written by this module, and holds more than backends; give config_path a file of its own; nothing was changed"
fi
unpack >"$want" || give_up "cannot write $want; nothing was changed"
SLOTS=$slots awk -f "$here/slots.awk" "$current" "$want" >"$new" || give_up "cannot write $new; nothing was changed"

how=members
structure "$current" >"$state" || give_up "cannot read $file; nothing was changed"
structure "$new" | cmp -s - "$state" || how=reload
[ "$(cat "$pending" 2>/dev/null)" != reload ] || how=reload
began=''
if [ ! -e "$pending" ] && ! cmp -s "$new" "$file"; then
  [ ! -e "$old" ] || rm -f "$old"
  if [ -e "$file" ]; then
    ln "$file" "$old" 2>/dev/null || cp -p "$file" "$old" || give_up "cannot keep a copy of $file; nothing was changed"
  fi
  began=1
fi
# Else a run before this one stopped half way, and $old is still what HAProxy started with.
if [ -n "$began" ] || [ -e "$pending" ]; then
  echo $how >"$pending" || give_up "cannot write $pending; nothing was changed"
  mv -f "$new" "$file" || give_up "cannot replace $file; nothing was changed"
  if ! "$@" -c >"$said" 2>&1; then
    cat "$said" >&2
    if [ -e "$old" ]; then mv -f "$old" "$file"; else rm -f "$file"; fi
    # After a run that stopped half way nobody knows which structure HAProxy has.
    if [ -n "$began" ]; then rm -f "$pending"; else echo reload >"$pending"; fi
    give_up "HAProxy refused the configuration with the new backends (its message is above); $file is as before and traffic is untouched; the next run tries again"
  fi
fi

told=0
# Brings HAProxy's servers to what $slots has. Fails with 1 where only a reload can,
# and with 2 where HAProxy does not answer.
converge() {
  : >"$said"
  for round in 1 2 3; do
    ask "show servers state" >"$state" || return 2
    PREFIX=$prefix awk -f "$here/commands.awk" "$slots" "$state" >"$todo" || return 1
    [ -s "$todo" ] || return 0
    [ $round -lt 3 ] || return 1
    while read -r count line; do
      printf '%s\n' "$line" | talk "$socket" >>"$said" || return 2
      told=$((told + count))
    done <"$todo"
  done
}

unreachable="HAProxy accepted the new backends but does not answer on its socket (see above); $file has them; start HAProxy, or see master_socket and stats_socket, which this user must be allowed to use; the next run goes on"
deadline=$(($(now) + 2))
if [ $how = members ]; then
  converge
  case $? in
  1) how=reload && echo reload >"$pending" ;;
  2) give_up "$unreachable" ;;
  esac
fi
if [ $how = reload ]; then
  before=$(worker) && failed=$(failures) || give_up "$unreachable"
  echo reload | talk "$master" >"$said" || give_up "$unreachable"
  deadline=$(($(now) + RELOAD_TIMEOUT + 1))
  # The old process goes on when the new one cannot start, such as on a taken port.
  until after=$(once "show info" | pid) && [ -n "$after" ] && [ "$after" != "$before" ]; do
    if [ "$(once_master "show proc" | failed_reloads)" -gt "$failed" ] 2>/dev/null; then
      give_up "HAProxy accepted the new backends but could not start with them; the old process goes on; $file has them; see HAProxy's log for the cause; the next run reloads again"
    fi
    [ "$(now)" -lt $deadline ] || give_up "HAProxy accepted the new backends but started no new worker within $RELOAD_TIMEOUT s; the old one goes on; see HAProxy's log; the next run reloads again"
    nap
  done
  converge
  case $? in
  1)
    grep -v '^$' "$said" | sed 20q >&2
    give_up "HAProxy was reloaded but does not have the servers of $file, or refused to set them (its answers are above, if any): HAProxy must be started with the same -f arguments that haproxy_command has, and stats_socket must have level admin; the next run reloads again"
    ;;
  2) give_up "$unreachable" ;;
  esac
fi
tidy
rm -f "$old" "$pending"
[ $how = reload ] && reloaded="reloaded" || reloaded="not reloaded"
echo "haproxy module: $reloaded, $told commands of the Runtime API"
