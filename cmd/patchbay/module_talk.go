package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// talkTime bounds one conversation of [cli.relay].
const talkTime = 30 * time.Second

// moduleTalk is for the scripts of shipped modules on machines that have no other way to
// reach a socket, and so in no usage text.
func (c *cli) moduleTalk() *cobra.Command {
	return &cobra.Command{
		Use:    "talk ADDRESS",
		Hidden: true,
		Short:  "Send standard input to a socket and write its answer",
		Args:   c.arguments(1, 1, "<path of a unix socket, or HOST:PORT>"),
		RunE:   func(_ *cobra.Command, args []string) error { return c.relay(args[0]) },
	}
}

// relay ends its side of the connection when standard input ends, for which HAProxy's
// master socket waits before it answers.
func (c *cli) relay(address string) error {
	if err := c.converse(address); err != nil {
		return fail(fmt.Sprintf("unable to talk to '%s'", address), err)
	}
	return nil
}

func (c *cli) converse(address string) (err error) {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	conn, err := net.DialTimeout(network, address, talkTime)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(talkTime)); err != nil {
		return err
	}
	if _, err := io.Copy(conn, c.stdin); err != nil {
		return err
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("it cannot be closed on one side")
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(c.stdout, conn)
	return err
}
