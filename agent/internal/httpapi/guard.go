package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guarded lets a write through only when it comes from this machine, or from one
// that [Remote] lets in, and not from a web page of another origin.
func (a *api) guarded(next func(exchange)) func(exchange) {
	origins := http.NewCrossOriginProtection()
	return func(x exchange) {
		err := a.entitled(x.r)
		if origins.Check(x.r) != nil {
			err = errors.Join(err, errors.New("a web page of another origin sent it"))
		}
		if err != nil {
			x.fail(http.StatusForbidden, "the request was refused: %s; nothing was changed; send it with the patchbay command on the agent's own host; "+
				"another host needs a client certificate (tls verify_incoming), the agent's token (api token), or an agent that lets all write (api allow_remote_writes)",
				strings.ReplaceAll(err.Error(), "\n", "; "))
			return
		}
		next(x)
	}
}

// entitled tells why a request may not write. Who brings a token or a certificate
// may use any name of this host: a page in a browser has neither for a name that
// an attacker's DNS points here.
func (a *api) entitled(r *http.Request) error {
	here := errors.Join(fromHere(r), a.addressed(r.Host))
	let, err := a.Remote.lets(r)
	if here == nil || let {
		return nil
	}
	return errors.Join(here, err)
}

// lets tells whether a request may come from another host, and if its token is a
// wrong one.
func (m Remote) lets(r *http.Request) (bool, error) {
	if m.Allow || m.MTLS && r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true, nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if m.Token.Empty() || !strings.EqualFold(scheme, "Bearer") {
		return false, nil
	}
	// Hashes are of one length, so that time tells nothing of the token.
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(m.Token.Reveal()))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return false, errors.New("its bearer token is not the agent's")
	}
	return true, nil
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
	return fmt.Errorf("it came from %q, another host than the agent's", r.RemoteAddr)
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
