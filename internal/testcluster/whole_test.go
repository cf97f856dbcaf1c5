package testcluster

import "testing"

func TestRestless(t *testing.T) {
	good := func() map[string]float64 {
		return map[string]float64{`jackdaw_cluster_members{state="active"}`: 3, "jackdaw_cluster_agreed": 1}
	}
	if why := restless(good(), 3); why != "" {
		t.Error(why)
	}
	for series, v := range map[string]float64{`jackdaw_cluster_members{state="active"}`: 2, "jackdaw_cluster_agreed": 0,
		`jackdaw_cluster_partitions{phase="waiting"}`: 1, `jackdaw_cluster_partitions{phase="leaving"}`: 1} {
		m := good()
		m[series] = v
		if restless(m, 3) == "" {
			t.Errorf("%s %v is at peace", series, v)
		}
	}
}
