package terraform

import (
	"archive/zip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// download is one use of hc-install. That library (v0.10.0, DownloadAndUnpack) loses
// the errors of copying, verifying and unpacking an archive: the removal of its
// temporary file overwrites them. So they are noted here, and what was unpacked is
// checked against a copy of the archive, which hc-install has verified when there is
// something unpacked at all.
type download struct {
	inner http.RoundTripper
	// limit is the most bytes of an answer.
	limit int64
	// archive is where the copy goes.
	archive string
	// cut is why the archive did not come whole; said is what hc-install logged.
	cut  error
	said strings.Builder
}

// newDownload makes a download that tries once: whoever supervises the daemon
// starts it again.
func newDownload(dir string) *download {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableKeepAlives: true,
		TLSHandshakeTimeout: probeTime, ResponseHeaderTimeout: probeTime}
	return &download{inner: transport, limit: maxDownload, archive: filepath.Join(dir, "archive")}
}

func (d *download) client() *http.Client { return &http.Client{Transport: d} }

func (d *download) logger() *log.Logger { return log.New(&d.said, "", 0) }

// RoundTrip bounds every answer and keeps the archive.
func (d *download) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := d.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = http.MaxBytesReader(nil, res.Body, d.limit)
	if path.Ext(r.URL.Path) != ".zip" {
		return res, nil
	}
	f, err := os.OpenFile(d.archive, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, secretMode)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keep archive: %w", err), res.Body.Close())
	}
	res.Body = &archiveBody{ReadCloser: res.Body, to: f, download: d}
	return res, nil
}

// archiveBody is the body of an archive's answer.
type archiveBody struct {
	io.ReadCloser
	to       *os.File
	download *download
}

func (k *archiveBody) Read(p []byte) (int, error) {
	n, err := k.ReadCloser.Read(p)
	if _, werr := k.to.Write(p[:n]); werr != nil {
		err = werr
	}
	if err != nil && !errors.Is(err, io.EOF) {
		k.download.cut = err
	}
	return n, err
}

func (k *archiveBody) Close() error { return errors.Join(k.ReadCloser.Close(), k.to.Close()) }

// check tells whether all went well, err being what hc-install says of it, and name
// the path of the file that it unpacked.
func (d *download) check(name string, err error) error {
	switch {
	case d.cut != nil:
		return fmt.Errorf("download archive: %w", d.cut)
	case strings.Contains(d.said.String(), "checksum does not match"):
		return errors.New("verify archive: checksum mismatch: it is not the one that was signed")
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("unpack archive: there is no %s in it, or no room for it: %w", executable, err)
	case err != nil:
		return err
	}
	archive, err := zip.OpenReader(d.archive)
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	defer archive.Close()
	for _, f := range archive.File {
		if f.Name == executable {
			return whole(name, f)
		}
	}
	return fmt.Errorf("unpack archive: there is no %s in it", executable)
}

// whole tells whether a file is what an archive has.
func whole(name string, want *zip.File) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read what was unpacked: %w", err)
	}
	defer f.Close()
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, f)
	if err != nil {
		return fmt.Errorf("read what was unpacked: %w", err)
	}
	if uint64(n) != want.UncompressedSize64 || sum.Sum32() != want.CRC32 {
		return fmt.Errorf("unpack archive: %d of %d bytes came out right; is there room in the directory?", n, want.UncompressedSize64)
	}
	return nil
}
