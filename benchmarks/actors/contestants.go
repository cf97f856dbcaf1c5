package main

import "slices"

// The contestants. Ours is what the others are compared with.
const (
	ours       = "jackdaw"
	beam       = "beam"
	protoactor = "protoactor"
	channels   = "channels"
)

// contestant is a program that takes part.
type contestant struct {
	name   string
	colour string   // in the plot; ours has none
	room   int64    // how much memory an actor may take while a crowd is started, in bytes: what a run needs to be let begin
	lacks  []string // the workloads of everybody's that it has nothing for
}

// field is everybody, in the order of the columns. Another library of Go is a line here and a program of this name below peers. The
// colours can be told apart also by who sees few: they are Okabe and Ito's.
var field = []contestant{
	{name: ours, room: 2000},
	{name: beam, colour: "#d55e00", room: 3500},
	{name: protoactor, colour: "#0072b2", room: 2500},
	{name: channels, colour: "#999999", room: 4000, lacks: []string{"restart-dynamic"}},
}

// contestants are the names of all.
func contestants() []string { return able("") }

// able are the names of those who have a workload.
func able(workload string) []string {
	var names []string
	for _, c := range field {
		if !slices.Contains(c.lacks, workload) {
			names = append(names, c.name)
		}
	}
	return names
}

// of is the contestant of a name, with nothing but the name if there is none.
func of(name string) contestant {
	if i := slices.IndexFunc(field, func(c contestant) bool { return c.name == name }); i >= 0 {
		return field[i]
	}
	return contestant{name: name}
}
