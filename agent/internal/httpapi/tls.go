package httpapi

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"patchbay/agent/config"

	"github.com/hashicorp/go-hclog"
)

const (
	// rereadAfter is how old what is known of the files may be at a handshake.
	rereadAfter = time.Second
	// maxPEM bounds a file of certificates or a key, in bytes.
	maxPEM = 4 << 20
)

// TLSConfig makes the TLS side of the listener: with it and [tls.NewListener],
// [Serve] answers https. The files are read again when they changed, so that a
// renewed certificate or CA counts for the next connection; files that cannot be
// used leave what was in force and are logged once. It gives nil when TLS is not
// enabled, and an error that names the file when it is and cannot be.
func TLSConfig(cfg config.ServerTLS, log hclog.Logger) (*tls.Config, error) {
	return newTLSConfig(cfg, log, rereadAfter)
}

func newTLSConfig(cfg config.ServerTLS, log hclog.Logger, after time.Duration) (*tls.Config, error) {
	if !cfg.Enabled {
		return nil, nil
	}
	if log == nil {
		log = hclog.NewNullLogger()
	}
	k := &keeper{cfg: cfg, log: log, after: after}
	files, err := k.read()
	if err != nil {
		return nil, fmt.Errorf("set up TLS of the HTTP API: %w", err)
	}
	if k.inForce, err = files.config(); err != nil {
		return nil, fmt.Errorf("set up TLS of the HTTP API: %w", err)
	}
	k.seen, k.looked = files.digest(), time.Now()
	out := k.inForce.Clone()
	out.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return k.current(), nil }
	return out, nil
}

// keeper keeps what the files say in force. Handshakes share it.
type keeper struct {
	cfg   config.ServerTLS
	log   hclog.Logger
	after time.Duration

	mu      sync.Mutex
	looked  time.Time
	seen    [sha256.Size]byte
	inForce *tls.Config
}

// current is the configuration of the next connection.
func (k *keeper) current() *tls.Config {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.looked) < k.after {
		return k.inForce
	}
	k.looked = time.Now()
	files, err := k.read()
	digest := files.digest()
	if err != nil {
		// An unreadable file looks the same each time: it is told once too.
		digest = sha256.Sum256([]byte(err.Error()))
	}
	if digest == k.seen {
		return k.inForce
	}
	k.seen = digest
	var next *tls.Config
	if err == nil {
		next, err = files.config()
	}
	if err != nil {
		k.log.Error("api certificate not reloaded", "cert", k.cfg.Cert, "err", err, "hint", "the one before stays in force; correct the files")
		return k.inForce
	}
	k.log.Info("api certificate reloaded", "cert", k.cfg.Cert)
	k.inForce = next
	return next
}

// pems are the contents of the files.
type pems struct {
	verify    bool
	cert, key []byte
	cas       [][]byte
	where     string
}

func (k *keeper) read() (p pems, err error) {
	p.verify, p.where = k.cfg.VerifyIncoming, k.cfg.CACert+k.cfg.CAPath
	if p.cert, err = readPEM(k.cfg.Cert); err != nil {
		return p, err
	}
	if p.key, err = readPEM(k.cfg.Key); err != nil {
		return p, err
	}
	paths := []string{k.cfg.CACert}
	switch {
	case !p.verify:
		return p, nil
	case p.where == "":
		return p, errors.New("verify clients: neither ca_cert nor ca_path says who may connect")
	case k.cfg.CACert == "":
		if paths, err = filesIn(k.cfg.CAPath); err != nil {
			return p, err
		}
	}
	for _, path := range paths {
		ca, err := readPEM(path)
		if err != nil {
			return p, err
		}
		p.cas = append(p.cas, ca)
	}
	return p, nil
}

// filesIn lists what is no directory in a directory of CAs.
func filesIn(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list CAs: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		// A link may point at a directory, as in a mounted Kubernetes secret.
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

func readPEM(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open PEM file: %w", err)
	}
	defer f.Close() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxPEM))
	if err != nil {
		return nil, fmt.Errorf("read PEM file: %w", err)
	}
	return data, nil
}

// digest identifies all contents.
func (p pems) digest() (out [sha256.Size]byte) {
	h := sha256.New()
	for _, data := range append([][]byte{p.cert, p.key}, p.cas...) {
		one := sha256.Sum256(data)
		h.Write(one[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (p pems) config() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		return nil, fmt.Errorf("use certificate and key: %w", err)
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	if !p.verify {
		return out, nil
	}
	out.ClientAuth, out.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	found := false
	for _, ca := range p.cas {
		found = out.ClientCAs.AppendCertsFromPEM(ca) || found
	}
	if !found {
		return nil, fmt.Errorf("use CAs of clients: %s has no certificate in PEM form", p.where)
	}
	return out, nil
}
