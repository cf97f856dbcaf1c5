package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure/measuretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWorkloads(t *testing.T) { measuretest.Smoke(t, workloads()) }
