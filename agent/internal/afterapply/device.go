package afterapply

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// The bounds of a connection's arguments; those of the timeout are the provider's.
const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 60
	maxPort        = 65535
	maxFile        = 1 << 20
)

// device is where and as whom to commit.
type device struct {
	hostname, username string
	// password makes an API key when there is none.
	password, key string
	protocol      string
	port          int // 0 is the protocol's
	target        string
	timeout       time.Duration // of one request
	insecure      bool
}

// source looks an argument up where it may stand; "" when it does not.
type source func(name string) string

// newDevice reads the arguments of a panos block. An argument that is not there comes
// from PANOS_<NAME>, then from the JSON file that json_config_file or auth_file names.
func newDevice(arguments map[string]cty.Value, getenv func(string) string) (device, error) {
	block := source(func(name string) string { return text(arguments[name]) })
	environment := source(func(name string) string { return strings.TrimSpace(getenv("PANOS_" + strings.ToUpper(name))) })
	path := cmp.Or(block("json_config_file"), block("auth_file"))
	file, err := readSettings(path)
	if err != nil {
		return device{}, err
	}
	get := func(name string) string {
		for _, from := range []source{block, environment, file} {
			if v := from(name); v != "" {
				return v
			}
		}
		return ""
	}
	d := device{hostname: get("hostname"), password: get("password"), key: get("api_key"), protocol: get("protocol"), target: get("target")}
	// The file's username is the one that makes a key; whose changes are committed is
	// said by the configuration itself.
	d.username = cmp.Or(block("username"), environment("username"))
	d.protocol = cmp.Or(d.protocol, "https")
	if d.port, err = number("port", get("port"), 0, maxPort); err != nil {
		return device{}, err
	}
	seconds, err := number("timeout", get("timeout"), int(defaultTimeout/time.Second), maxTimeout)
	if err != nil {
		return device{}, err
	}
	d.timeout = time.Duration(seconds) * time.Second
	if d.insecure, err = insecure(block, environment, file); err != nil {
		return device{}, err
	}
	return d, d.check()
}

// insecure tells whether certificates go unverified: the first source that says
// anything decides, by the name that provider 1.x has or the one of 2.x.
func insecure(sources ...source) (bool, error) {
	for _, from := range sources {
		for _, name := range []string{"skip_verify_certificate", "verify_certificate"} {
			v := from(name)
			if v == "" {
				continue
			}
			said, err := strconv.ParseBool(v)
			if err != nil {
				return false, fmt.Errorf("%s is neither true nor false", name)
			}
			return said == (name == "skip_verify_certificate"), nil
		}
	}
	return false, nil
}

func (d device) check() error {
	switch {
	case d.username == "":
		return errors.New("username is missing; write it in the terraform_provider block or set PANOS_USERNAME: only the changes of this user are committed")
	case d.hostname == "":
		return errors.New("hostname is missing; write it in the terraform_provider block or set PANOS_HOSTNAME")
	case strings.ContainsAny(d.hostname, "/?#@\\ \t\r\n") || strings.Contains(d.hostname, ":") && net.ParseIP(d.hostname) == nil:
		return errors.New("hostname is none; write a name or an IP address, and the port as port")
	case d.protocol != "https" && d.protocol != "http":
		return errors.New("protocol must be https or http")
	case d.key == "" && d.password == "":
		return errors.New("neither api_key nor password is there; write one in the terraform_provider block or set PANOS_API_KEY or PANOS_PASSWORD")
	}
	return nil
}

// number reads a whole number up to limit; "" gives standing.
func number(name, v string, standing, limit int) (int, error) {
	if v == "" {
		return standing, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > limit {
		return 0, fmt.Errorf("%s must be a whole number from 1 to %d", name, limit)
	}
	return n, nil
}

// text gives a string, number or boolean as text; "" for anything else.
func text(v cty.Value) string {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return ""
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() {
		return ""
	}
	return s.AsString()
}

// readSettings reads the JSON file of a connection; "" gives nothing. No error shows
// what stands in it.
func readSettings(path string) (source, error) {
	if path == "" {
		return func(string) string { return "" }, nil
	}
	content, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read json_config_file: %w", err)
	}
	var values map[string]any
	if err := json.Unmarshal(content, &values); err != nil {
		return nil, errors.New("read json_config_file: it is no JSON object")
	}
	return func(name string) string {
		switch v := values[name].(type) {
		case string:
			return v
		case bool:
			return strconv.FormatBool(v)
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		return ""
	}, nil
}

// readFile reads a regular file of bounded size.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is no regular file of at most %d bytes", path, maxFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}
