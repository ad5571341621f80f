# How apply.sh talks to HAProxy's sockets. A socket is the path of a unix socket, or
# HOST:PORT. Needs now and nap of apply.sh, and these:
: "${client:=}" "${master:?}" "${stats:?}" "${deadline:=0}"

# Prints the first way to talk that this machine has.
find_client() {
  for way in socat perl python3 nc patchbay; do
    command -v $way >/dev/null || continue
    case $way in
    perl) perl -MIO::Socket::UNIX -MIO::Socket::INET -e 1 2>/dev/null || continue ;;
    python3) python3 -c 'import socket' 2>/dev/null || continue ;;
    nc) [ "$(nc -h 2>&1 | grep -cE -e '-[NU]([[:space:]]|$)')" -ge 2 ] || continue ;;
    esac
    echo $way && return
  done
  return 1
}

# Sends standard input to a socket and prints what it answers. The master socket ends
# its answer only after the end of the input, so that each way must pass this on.
talk() {
  case $client in
  socat)
    case $1 in
    /*) socat -t 30 -T 30 - "UNIX-CONNECT:$1" ;;
    *) socat -t 30 -T 30 - "TCP:$1" ;;
    esac
    ;;
  perl)
    perl -MIO::Socket::UNIX -MIO::Socket::INET -e '
      alarm 30;
      my $s = $ARGV[0] =~ m{^/} ? IO::Socket::UNIX->new(Peer => $ARGV[0]) : IO::Socket::INET->new(PeerAddr => $ARGV[0]);
      $s or die "cannot connect to $ARGV[0]: $!\n";
      $s->autoflush(1);
      print $s $_ while <STDIN>;
      shutdown($s, 1);
      print while <$s>;' "$1"
    ;;
  python3)
    python3 -c '
import socket, sys
to = sys.argv[1]
try:
    if to.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30)
        s.connect(to)
    else:
        host, port = to.rsplit(":", 1)
        s = socket.create_connection((host, int(port)), 30)
    s.sendall(sys.stdin.buffer.read())
    s.shutdown(socket.SHUT_WR)
    while True:
        piece = s.recv(65536)
        if not piece:
            break
        sys.stdout.buffer.write(piece)
except OSError as e:
    sys.exit("cannot connect to %s: %s" % (to, e))' "$1"
    ;;
  nc)
    case $1 in
    /*) nc -N -w 30 -U "$1" ;;
    *) nc -N -w 30 "${1%:*}" "${1##*:}" ;;
    esac
    ;;
  patchbay) patchbay module talk "$1" ;;
  esac
}

# Members are changed by the stats socket, or else by the worker behind the master's.
socket=$stats prefix=''
if [ "$stats" = - ]; then
  # shellcheck disable=SC2034
  socket=$master prefix='@1 '
fi

once() { printf '%s\n' "$prefix$1" | talk "$socket" 2>/dev/null; }
once_master() { printf '%s\n' "$1" | talk "$master" 2>/dev/null; }
# Asks again while there is no answer: the master takes none for some 40 ms of a
# reload, which may be somebody else's.
ask() {
  until answer=$(once "$1") && [ -n "$answer" ]; do
    [ "$(now)" -lt "$deadline" ] || {
      printf '%s\n' "$prefix$1" | talk "$socket" >&2
      return 1
    }
    nap
  done
  printf '%s\n' "$answer"
}
pid() { sed -n 's/^Pid: *\([0-9]*\).*/\1/p'; }
failed_reloads() { sed -n 's/.*\[failed: \([0-9]*\)\].*/\1/p'; }
# Prints the pid of the worker.
worker() { ask "show info" | pid | grep .; }
# Prints how many reloads in a row failed.
failures() {
  processes=$(printf 'show proc\n' | talk "$master") && [ -n "$processes" ] || return 1
  count=$(printf '%s\n' "$processes" | failed_reloads)
  echo "${count:-0}"
}
