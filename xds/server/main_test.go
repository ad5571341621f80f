package server

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if service := os.Getenv(clientEnv); service != "" {
		os.Exit(clientMain(service))
	}
	goleak.VerifyTestMain(m)
}
