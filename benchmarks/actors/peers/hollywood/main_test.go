package main

import (
	"testing"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure/measuretest"
)

func TestWorkloads(t *testing.T) { measuretest.Smoke(t, workloads()) }
