# Puts NGINX's upstreams in place and makes NGINX serve them, or changes nothing.
#
#   UPSTREAMS_0=… [UPSTREAMS_1=…] RELOAD_TIMEOUT=seconds sh apply.sh FILE NGINX...
#
# The variables are the pieces of the gzipped, base64-coded content of FILE; NGINX...
# is the command that reaches the server. Runs with dash and busybox on Linux.
# Files of its own beside FILE start with a dot and do not end in .conf, so that
# no include takes them:
#   .NAME.new      the content of this run
#   .NAME.old      what NGINX serves while FILE is newer than that
#   .NAME.pending  FILE is in place, but NGINX may not serve it yet
set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022

say() { printf 'nginx module: %s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}
# For those who hold the lock.
give_up() {
  rm -f "$new"
  die "$@"
}
nap() { sleep 0.01 2>/dev/null || sleep 1; }
now() { read -r uptime _ </proc/uptime && echo "${uptime%.*}"; }

file=$1
shift
dir=${file%/*}/
new=$dir.${file##*/}.new
old=$dir.${file##*/}.old
pending=$dir.${file##*/}.pending

for tool in flock base64 gzip cmp sed "$1"; do
  command -v "$tool" >/dev/null || die "cannot run $tool: it is not on PATH, install it on the machine of NGINX"
done
[ -d "$dir" ] || die "cannot write $file: the directory is missing, create it and include it in NGINX's configuration"
[ -w "$dir" ] || die "cannot write $file: no right to write to its directory, run as a user who may"
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
  while eval "piece=\${UPSTREAMS_$n-}" && [ -n "$piece" ]; do
    printf %s "$piece"
    n=$((n + 1))
  done | base64 -d | gzip -dc
}
unpack >"$new" || give_up "cannot write $new; nothing was changed"

if [ ! -e "$pending" ]; then
  if cmp -s "$new" "$file"; then
    rm -f "$new"
    exit 0
  fi
  [ ! -e "$old" ] || rm -f "$old"
  if [ -e "$file" ]; then
    ln "$file" "$old" 2>/dev/null || cp -p "$file" "$old" || give_up "cannot keep a copy of $file; nothing was changed"
  fi
  : >"$pending"
fi
# Else a run before this one stopped half way, and $old is still what NGINX serves.
mv -f "$new" "$file" || give_up "cannot replace $file; nothing was changed"

# -T tests as -t does and also tells where the pid is.
if ! whole=$("$@" -T 2>"$new"); then
  cat "$new" >&2
  if [ -e "$old" ]; then mv -f "$old" "$file"; else rm -f "$file"; fi
  rm -f "$pending"
  give_up "NGINX refused the configuration with the new upstreams (its message is above); $file is as before and traffic is untouched; the next run tries again"
fi

built_in() {
  option=$1
  shift
  "$@" -V 2>&1 | sed -n "s/.* --$option=\([^ ]*\).*/\1/p"
}
# Prints the path of the pid file: from -g, from the configuration, or the one built
# in; relative ones are below the prefix. Takes the command, reads $whole.
pid_file() {
  prefix='' global='' option=''
  for word; do
    case $option in -p) prefix=$word ;; -g) global=$word ;; esac
    option=$word
  done
  path=$({
    [ -z "$global" ] || printf '%s\n' "$global" | tr ';' '\n'
    printf '%s\n' "$whole"
  } | sed -n "/^[[:space:]]*pid[[:space:]]\{1,\}[\"']\{0,1\}\([^;\"']*\).*/{s//\1/p;q;}")
  [ -n "$path" ] || path=$(built_in pid-path "$@")
  case $path in
  /*) printf '%s\n' "$path" ;;
  *) printf '%s\n' "${prefix:-$(built_in prefix "$@")}/$path" ;;
  esac
}
# Sets $workers to the children of $master; none where that cannot be seen.
look() {
  workers=''
  { read -r workers <"/proc/$master/task/$master/children"; } 2>/dev/null
}
# Tells whether there is a worker that was not there before the reload.
renewed() {
  look
  for worker in $workers; do
    case " $before " in *" $worker "*) ;; *) return 0 ;; esac
  done
  return 1
}

master=''
{ read -r master <"$(pid_file "$@")"; } 2>/dev/null
look
before=$workers
if ! "$@" -s reload; then
  give_up "NGINX accepted the new upstreams but could not be told to reload (its message is above); $file has them; start NGINX or see nginx_command; the next run reloads again"
fi
# The reload is only a signal: what is applied is what workers serve. Where they
# cannot be seen, in another pid namespace, the signal has to do.
if [ -n "$before" ]; then
  deadline=$(($(now) + RELOAD_TIMEOUT + 1))
  until renewed; do
    [ "$(now)" -lt $deadline ] || give_up "NGINX accepted the new upstreams but started no new workers within $RELOAD_TIMEOUT s; the old ones go on; see NGINX's error log; the next run reloads again"
    nap
  done
fi
rm -f "$new" "$old" "$pending"
