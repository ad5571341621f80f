//go:build !unix

package syslog

import (
	"errors"
	"net"

	"github.com/hashicorp/go-hclog"
)

var errUnsupported = errors.New("this system has none, remove the syslog block")

func priority(string, hclog.Level) int { return 0 }

func dialLocal() (net.Conn, error) { return nil, errUnsupported }
