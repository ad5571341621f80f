# Gives an upstream of NGINX Plus the wanted servers, through the API of each instance.
#
#   SERVERS_0=… [SERVERS_1=…] UPSTREAM=name CREDENTIALS=path LEDGER_DIR=path DRAIN_SECONDS=n
#   REMOVE_BUSY=bool REQUEST_TIMEOUT=seconds sh apply.sh http|stream URL...
#
# SERVERS_n are the pieces of the gzipped, base64-coded lines that servers.tf writes. New
# servers are added first, then others changed, and what is left over goes last, so that
# no moment has fewer servers than before and after. Runs with dash and busybox.
set -u
umask 077
tab=$(printf '\t')

say() { printf 'nginx-plus module: %s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}
# shellcheck disable=SC2153 # given by Terraform
context=$1 upstream=$UPSTREAM
shift
for tool in curl awk base64 gzip mktemp; do
  command -v "$tool" >/dev/null || die "cannot run $tool: it is not on PATH; nothing was changed; install it on the machine that runs Terraform"
done
work=$(mktemp -d) || die "cannot make a temporary directory; nothing was changed"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

unpack() {
  n=0
  while eval "piece=\${SERVERS_$n-}" && [ -n "$piece" ]; do
    printf %s "$piece"
    n=$((n + 1))
  done | base64 -d | gzip -dc
}
unpack >"$work/wanted" || die "cannot write $work/wanted; nothing was changed"

# What curl says of a line that it does not know holds that line, so none gets there.
credentials=''
if [ -n "$CREDENTIALS" ]; then
  [ -r "$CREDENTIALS" ] || die "cannot read $CREDENTIALS, the credentials_file; nothing was changed"
  case $(ls -ldL "$CREDENTIALS") in
  ???????r*) die "everyone may read $CREDENTIALS, the credentials_file; nothing was changed; set its mode to 0600" ;;
  esac
  wrong=$(awk '!/^[ \t]*(#.*)?$/ && !/^[ \t]*(user|header|cert|cert-type|key|key-type|pass|cacert|oauth2-bearer|proxy|proxy-user|noproxy)[ \t]*[=: \t]/ { print NR; exit }' "$CREDENTIALS")
  [ -z "$wrong" ] || die "cannot use line $wrong of $CREDENTIALS, the credentials_file; nothing was changed; lines are user, header, cert, key, pass, cacert, oauth2-bearer, proxy or noproxy, then = and a value in quotes"
  credentials=$(cat "$CREDENTIALS")
fi

# call URL: makes the requests of standard input (method, path, body, for what) on one
# connection. Sets $bad to those that failed. The configuration of curl keeps
# everything out of its arguments.
call() {
  rm -f "$work"/body.*
  cat >"$work/calls"
  n=0
  while IFS=$tab read -r method path body what; do
    [ "$n" -eq 0 ] || echo next
    n=$((n + 1))
    printf 'url = "%s%s"\nrequest = "%s"\noutput = "%s"\nwrite-out = "%%{http_code}\\n"\n' "$1" "$path" "$method" "$work/body.$n"
    printf 'silent\nshow-error\ngloboff\nconnect-timeout = %s\nmax-time = %s\n%s\n' "$REQUEST_TIMEOUT" "$REQUEST_TIMEOUT" "$credentials"
    [ "$body" = - ] || printf 'header = "Content-Type: application/json"\ndata-binary = "%s"\n' "$body"
  done <"$work/calls" >"$work/config"
  # An answer that breaks off has its code too: it is the last one, as curl stops there.
  curl -q --fail-early -K "$work/config" >"$work/codes" 2>"$work/said" || sed '$s/.*/000/' "$work/codes" >"$work/broken"
  [ ! -e "$work/broken" ] || mv "$work/broken" "$work/codes"
  # shellcheck disable=SC2046 # one word for each answer
  set -- $(cat "$work/codes")
  n=0 bad=0
  while IFS=$tab read -r method path body what; do
    n=$((n + 1)) code=${1:-none}
    [ $# -eq 0 ] || shift
    case $method:$code in
    *:2??) ;;
    DELETE:404) grep -q UpstreamServerNotFound "$work/body.$n" 2>/dev/null || explain ;;
    *) explain ;;
    esac
  done <"$work/calls"
  [ "$bad" -eq 0 ]
}

# Tells of the request $n, at most ten times: one cause often fails them all.
explain() {
  bad=$((bad + 1))
  [ "$bad" -le 10 ] || return 0
  text=$(tr -cd '[:print:]' 2>/dev/null <"$work/body.$n" | cut -c 1-300)
  case $code:$text in
  none:*)
    [ "$bad" -eq 1 ] || return 0 # not tried
    hint="curl does not work: $(tr -cd '[:print:]' <"$work/said" | cut -c 1-300)"
    ;;
  000:*) hint="the API cannot be reached or broke off: $(tr -cd '[:print:]' <"$work/said" | cut -c 1-300); check api_urls and, for TLS, the cacert of credentials_file" ;;
  401:* | 403:*) hint="the API refuses the credentials; see credentials_file and the allow rules of its location" ;;
  *UpstreamNotFound*) hint="NGINX has no such upstream; add it to its configuration, with zone and state" ;;
  *UpstreamStatic*) hint="the upstream has no shared memory; add zone (and state) to it" ;;
  *MethodDisabled*) hint="the API only reads; write api write=on; in its location" ;;
  *UpstreamOutOfMemory*) hint="the upstream's zone is full; enlarge it" ;;
  *UpstreamConfNoResolver*) hint="a host name needs a resolver in NGINX's configuration" ;;
  404:*) hint="there is no API of version 9 at this address; see api_urls and location /api of NGINX" ;;
  *) hint="the API refuses it" ;;
  esac
  say "cannot $what at $url ($context upstream $upstream): $hint${text:+; it said: $text}"
}

reconcile() {
  base=$url/9/$context/upstreams/$upstream
  ledger=/dev/null owned=0
  if [ -n "$LEDGER_DIR" ]; then
    owned=1 ledger=$LEDGER_DIR/$context.$upstream.$(printf %s "$url" | tr -c 'A-Za-z0-9.-' _)
    [ -w "$LEDGER_DIR/" ] || die "cannot write to $LEDGER_DIR, the ledger_dir; nothing was changed; create it for the user of this run"
    [ -e "$ledger" ] || : >"$ledger" || die "cannot write $ledger; nothing was changed"
  fi
  printf 'GET\t/servers\t-\tread the servers\n' | call "$base" || die "nothing was changed at $url; the next run tries again"
  mv "$work/body.1" "$work/have"
  awk -f "${0%/*}/reconcile.awk" context="$context" owned="$owned" part=wanted RS='\n' "$work/wanted" \
    part=made "$ledger" part=have RS='}' "$work/have" >"$work/plan" || die "cannot compare the servers at $url; nothing was changed"

  if [ "$owned" -eq 1 ]; then
    # Before they are made: what is made and not noted would never be removed.
    awk -F "$tab" '$1 == "POST" { print $3 }' "$work/plan" >>"$ledger" || die "cannot write $ledger; nothing was changed at $url"
    foreign=$(awk -F "$tab" '$1 == "FOREIGN" { print $3 }' "$work/plan" | tr '\n' ' ')
    [ -z "$foreign" ] || say "left as they are at $url, as this module did not make them: $foreign"
  fi
  awk -F "$tab" '
    $1 == "POST" { print "POST\t/servers\t" $4 "\tadd server " $3 }
    $1 == "PATCH" { print "PATCH\t/servers/" $2 "\t" $4 "\tchange server " $3 }
    $1 == "DELETE" { print "DELETE\t/servers/" $2 "\t-\treplace server " $3 }' "$work/plan" >"$work/do"
  [ ! -s "$work/do" ] || call "$base" <"$work/do" ||
    die "$bad of $(wc -l <"$work/do" | tr -d ' ') changes failed at $url, so nothing was removed there; the next run tries again"

  awk -F "$tab" '$1 == "SURPLUS" { print $2 "\t" $3 "\t" $4 }' "$work/plan" >"$work/surplus"
  [ ! -s "$work/surplus" ] || clear_out
}

# Removes what is left over, once it has no connections.
clear_out() {
  if [ "$DRAIN_SECONDS" -eq 0 ]; then
    remove
    return
  fi
  rest='drain' && [ "$context" = http ] || rest='down'
  awk -F "$tab" -v rest="$rest" '$3 == "serving" { print "PATCH\t/servers/" $1 "\t{\\\"" rest "\\\":true}\tdrain server " $2 }' "$work/surplus" >"$work/do"
  [ ! -s "$work/do" ] || call "$base" <"$work/do" || die "$bad servers could not be drained at $url; the next run tries again"
  waited=0
  mv "$work/surplus" "$work/waiting"
  while :; do
    printf 'GET\t/?fields=peers\t-\tread the connections\n' | call "$base" || die "the drained servers at $url stay; the next run tries again"
    awk -f "${0%/*}/reconcile.awk" context="$context" part=peers RS='}' "$work/body.1" >"$work/active" ||
      die "cannot read the connections at $url; the drained servers stay; the next run tries again"
    awk -F "$tab" -v busy="$work/busy" -v idle="$work/surplus" '
      BEGIN { printf "" >busy; printf "" >idle }
      FILENAME == ARGV[1] { active[$1] = $2; next }
      { print >(active[$1] > 0 ? busy : idle) }' "$work/active" "$work/waiting"
    [ ! -s "$work/surplus" ] || remove
    mv "$work/busy" "$work/waiting"
    [ -s "$work/waiting" ] || return 0
    [ "$waited" -lt "$DRAIN_SECONDS" ] || break
    sleep 1
    waited=$((waited + 1))
  done
  if [ "$REMOVE_BUSY" = true ]; then
    mv "$work/waiting" "$work/surplus"
    remove
    return
  fi
  say "still busy after $DRAIN_SECONDS s at $url, left draining until the next change of the upstream: $(cut -f 2 "$work/waiting" | tr '\n' ' ')"
}

# Removes the servers of $work/surplus.
remove() {
  awk -F "$tab" '{ print "DELETE\t/servers/" $1 "\t-\tremove server " $2 }' "$work/surplus" >"$work/do"
  call "$base" <"$work/do" || die "$bad servers could not be removed at $url; the next run tries again"
  [ "$owned" -eq 1 ] || return 0
  # One that is wanted and was only there twice stays noted.
  {
    awk -F "$tab" '
      part == 1 { wanted[$1] = 1; next }
      part == 2 { gone[$2] = 1; next }
      (!($1 in gone) || $1 in wanted) && !seen[$1]++' part=1 "$work/wanted" part=2 "$work/surplus" part=3 "$ledger" >"$ledger.new" &&
      mv "$ledger.new" "$ledger"
  } || die "cannot write $ledger, the servers at $url are as wanted; the next run tries again"
}

failed=''
for url; do
  (reconcile) || failed="$failed $url"
done
[ -z "$failed" ] || die "$context upstream $upstream is not as wanted at$failed (messages are above); instances that are not named have the new servers"
