package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

func TestMain(m *testing.M) {
	if code, ran := testcluster.Private(); ran {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := testnode.RemoveBuild(); err != nil {
			code = 1
		}
		os.Exit(code)
	}))
}
