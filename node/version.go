package node

import "runtime/debug"

// Version is what is known of the running program.
type Version struct {
	// Version is the module's, "devel" for one that was built from a working folder.
	Version string
	// Revision is the commit it was built from, with "+changes" if there were changes that no commit has; empty if unknown.
	Revision string
	// Go is the version of the Go toolchain.
	Go string
}

// CurrentVersion reads what the build has left in the program.
func CurrentVersion() Version {
	v := Version{Version: "devel"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Go = info.GoVersion
	if m := info.Main.Version; m != "" && m != "(devel)" {
		v.Version = m
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Revision = s.Value + v.Revision
		case s.Key == "vcs.modified" && s.Value == "true":
			v.Revision += "+changes"
		}
	}
	return v
}
