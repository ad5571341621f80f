package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

// run plays the scenes and cleans up; it returns the exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := newStage(ctx)
	if err == nil {
		err = s.play(ctx)
	}
	if err == nil && os.Getenv("DEMO_HOLD") == "1" {
		s.hold()
		<-ctx.Done()
	}
	stopped := ctx.Err() != nil
	err = errors.Join(err, s.strike(err != nil && !stopped))
	switch {
	case stopped:
		fmt.Println("\nStopped; everything was cleaned up.")
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "\nThe demo failed: %v\nThe logs are in %s\n", err, s.dir)
		return 1
	}
	fmt.Println("\nDone; everything was cleaned up. Look around by yourself with: DEMO_HOLD=1 make demo")
	return 0
}
