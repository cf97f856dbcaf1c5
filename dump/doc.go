// Package dump writes down what a running server is like, as Erlang's erl_crash.dump does, and shows it again.
//
// A dump is made section by section. Each section is collected on its own, with a time of its own and an error of its own, and is
// on the disk before the next begins: the dump of a sick server, or of one that dies meanwhile, holds what could be had. No section
// holds a message's body, a key or a password: of messages there are kinds and counts, of states what FormatStatus shows, or else
// types and sizes. Addresses of users do appear, as the names of their actors.
//
// The format is text, so that a pager and grep suffice where nothing else is at hand. A line that begins with "=" begins a section:
//
//	=dump {"took":"0s"}
//	{
//	  "version": 1,
//	  "reason": "signal",
//	...
//	=tree {"took":"1.2ms","error":"dump: tree: ..."}
//	...
//	=end {"took":"0s"}
//
// After the section's name stands what is known of its making, as JSON, or nothing. Its body is one indented JSON document, whose type
// is in data.go, but for these: goroutines (runtime/pprof's text), metrics (Prometheus' text), config (YAML) and traceback (what Go
// prints as it dies), which are text. The first section is dump, the last is end; where that one is missing, the process died while it
// wrote. A reader skips sections that it doesn't know, and a later version only adds sections and fields; what changes one is another
// version.
//
// A [Folder] keeps the dumps of one server. [Folder.Write] makes one, [View] prints one:
//
//	folder := dump.NewFolder(dump.Config{Dir: dir, Keep: 10, About: about, Source: source})
//	path, err := folder.Write(ctx, dump.Request)
//	...
//	err = dump.View(os.Stdout, file, dump.Options{})
//
// [Folder.CatchCrash] sees to it that Go's own last words, in whatever goroutine a panic happens, become a dump at the next start.
package dump
