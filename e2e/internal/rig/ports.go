package rig

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports gives n free TCP ports of loopback. They are below the ephemeral range,
// so that no outgoing connection takes one before its server listens.
func Ports(n int) ([]int, error) {
	var out []int
	for range 200 * n {
		if len(out) == n {
			return out, nil
		}
		port := 12000 + rand.IntN(20000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		// Left open until the end, so that no port is given twice.
		defer l.Close()
		out = append(out, port)
	}
	return nil, errors.New("find free ports: all that were tried are taken")
}
