package httpapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guarded lets a write through only when it comes from this machine and not from
// a web page of another origin.
func (a *api) guarded(next func(exchange)) func(exchange) {
	origins := http.NewCrossOriginProtection()
	return func(x exchange) {
		err := errors.Join(fromHere(x.r), a.addressed(x.r.Host))
		if origins.Check(x.r) != nil {
			err = errors.Join(err, errors.New("a web page of another origin sent it"))
		}
		if err != nil {
			x.fail(http.StatusForbidden, "the request was refused: %s; nothing was changed; send it with the patchbay command on the agent's own host",
				strings.ReplaceAll(err.Error(), "\n", "; "))
			return
		}
		next(x)
	}
}

// fromHere tells why a peer is not this machine: neither loopback nor at the
// address that the request reached.
func fromHere(r *http.Request) error {
	peer, ok := addrOf(r.RemoteAddr)
	if ok && peer.IsLoopback() {
		return nil
	}
	if local, is := r.Context().Value(http.LocalAddrContextKey).(net.Addr); is && ok {
		if own, ok := addrOf(local.String()); ok && own == peer {
			return nil
		}
	}
	return fmt.Errorf("it came from %q, and only this machine may change anything", r.RemoteAddr)
}

func addrOf(hostPort string) (netip.Addr, bool) {
	a, err := netip.ParseAddrPort(hostPort)
	return a.Addr().Unmap(), err == nil
}

// addressed tells why a Host header is not one of this listener. A name that an
// attacker's DNS points here (DNS rebinding) is not; an address cannot be one.
func (a *api) addressed(hostPort string) error {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
	own := append([]string{"localhost"}, a.Names...)
	if slices.ContainsFunc(own, func(name string) bool { return strings.EqualFold(name, host) }) {
		return nil
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	return fmt.Errorf("its Host header %q is not a name of this agent", clip(hostPort))
}
