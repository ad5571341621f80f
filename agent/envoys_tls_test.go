package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"
)

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// shown is how many certificates a server sees of a client that shows one; an error is
// that of the server.
func shown(t *testing.T, server *tls.Config, client tls.Certificate) (int, error) {
	t.Helper()
	a, b := net.Pipe()
	done := make(chan error, 1)
	conn := tls.Server(a, server)
	go func() { done <- conn.HandshakeContext(t.Context()) }()
	peer := tls.Client(b, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{client}, MaxVersion: tls.VersionTLS12})
	_ = peer.HandshakeContext(t.Context()) // what the server says counts
	err := <-done
	n := len(conn.ConnectionState().PeerCertificates)
	a.Close()
	b.Close()
	return n, err
}

func TestTheServerOfEnvoysAsksForCertificatesThatItJudgesItself(t *testing.T) {
	own, client := selfSigned(t), selfSigned(t)
	plain := &tls.Config{Certificates: []tls.Certificate{own}}
	anew := &tls.Config{Certificates: []tls.Certificate{own}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return plain, nil
	}}
	strict := &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	for name, c := range map[string]*tls.Config{"a configuration that stays": plain, "one that is read anew": anew} {
		t.Run(name, func(t *testing.T) {
			if n, err := shown(t, askForCertificates(c), client); n != 1 || err != nil {
				t.Errorf("the server sees %d certificates, %v", n, err)
			}
		})
	}
	t.Run("one that verifies", func(t *testing.T) {
		if _, err := shown(t, askForCertificates(strict), client); err == nil {
			t.Error("a certificate of nobody's CA was taken")
		}
	})
	if plain.ClientAuth != tls.NoClientCert {
		t.Error("the configuration of others was changed")
	}
}
