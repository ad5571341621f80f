# Runs apply.sh on other machines over SSH, on all of them at the same time.
#
#   HOSTS=… UPSTREAMS_0=… [UPSTREAMS_1=…] RELOAD_TIMEOUT=seconds CONNECT_TIMEOUT=seconds SSH_CONFIG=path \
#     sh remote.sh FILE NGINX...
#
# Each line of HOSTS is, with tabs between: name, address, user, port, key file,
# known_hosts file, true to become root by sudo. The rest is as in apply.sh, which goes
# to the machine with its content on the standard input of a shell there. Nothing
# asks, and no machine can hold up the others.
set -u
umask 077
tab=$(printf '\t')

say() { printf 'nginx module: %s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}
for tool in ssh timeout sed mktemp; do
  command -v "$tool" >/dev/null || die "cannot run $tool: it is not on PATH, install it on the machine that runs Terraform"
done
work=$(mktemp -d) || die "cannot make a temporary directory; nothing was changed"
# apply.sh waits for RELOAD_TIMEOUT twice at most.
patience=$((CONNECT_TIMEOUT + 2 * RELOAD_TIMEOUT + 60))
pids=''
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2086 # one word for each process
trap 'kill $pids 2>/dev/null; exit 130' INT TERM HUP

# The last line does the work: input that is cut off does nothing.
script() {
  echo 'apply() {'
  cat "${0%/*}/apply.sh"
  echo '}'
  printf 'RELOAD_TIMEOUT=%s\n' "$RELOAD_TIMEOUT"
  n=0
  while eval "piece=\${UPSTREAMS_$n-}" && [ -n "$piece" ]; do
    printf 'UPSTREAMS_%s=%s\n' "$n" "$piece"
    n=$((n + 1))
  done
  printf apply
  for word; do
    printf " '%s'" "$(printf '%s\n' "$word" | sed "s/'/'\\\\''/g")"
  done
  echo ' </dev/null'
}
script "$@" >"$work/script" || die "cannot write $work/script; nothing was changed"

# reach NAME ADDRESS USER PORT KEY KNOWN_HOSTS SUDO
reach() {
  for path in "$5" "$6"; do
    [ -r "$path" ] || die "cannot read $path, the key_file or known_hosts_file of the host $1; nothing was changed there"
  done
  shell='sh -s'
  [ "$7" != true ] || shell='sudo -n sh -s'
  timeout "$patience" ssh -F "$SSH_CONFIG" -T -i "$5" -l "$3" -p "$4" \
    -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$6" -o GlobalKnownHostsFile=/dev/null \
    -o UpdateHostKeys=no -o IdentitiesOnly=yes -o ConnectTimeout="$CONNECT_TIMEOUT" -o ServerAliveInterval=5 -o ServerAliveCountMax=3 \
    -o ForwardAgent=no -o ClearAllForwardings=yes -o ControlMaster=no -o ControlPath=none -o LogLevel=ERROR \
    "$2" "$shell" <"$work/script" &
  ssh=$! code=0
  trap 'kill "$ssh"; exit 130' INT TERM HUP
  wait "$ssh" || code=$?
  case $code in
  0) ;;
  255) die "cannot reach the host by SSH as $3 at $2, port $4 (its message is above); check the address, the key, and that $6 has the host's key" ;;
  124) die "the host did not end its work within $patience s" ;;
  esac
  return "$code"
}

count=0
while IFS=$tab read -r name address user port key known sudo; do
  count=$((count + 1))
  printf '%s\n' "$name" >"$work/$count.name"
  (reach "$name" "$address" "$user" "$port" "$key" "$known" "$sudo") >"$work/$count.said" 2>&1 &
  pids="$pids $!"
done <<END
$HOSTS
END

n=0 failed=''
for pid in $pids; do
  n=$((n + 1))
  code=0
  wait "$pid" || code=$?
  name=$(cat "$work/$n.name")
  sed "s/^/$name: /" "$work/$n.said" >&2
  [ "$code" -eq 0 ] || failed="$failed $name"
done
[ -z "$failed" ] || die "failed on host$failed (messages are above), of $count in all; hosts that are not named have the new upstreams; the next run tries again"
