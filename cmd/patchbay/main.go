package main

import (
	"io"
	"os"
	"time"
)

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

// run is the whole program, beginning with its own name: it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	legacy := isLegacy(args[0])
	c := &cli{stdin: os.Stdin, stdout: stdout, stderr: stderr, daemon: newDaemon(legacy), now: time.Now,
		terminal: isTerminal(stdout), legacy: legacy, program: args[0]}
	return c.run(args[1:])
}

// isTerminal tells whether a writer is a device that draws what it is given.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
