package admin

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// maxSocketPath is how many bytes the path of a socket may have: sun_path without its final zero.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

// shorten returns the path of a socket in the form that fits into a socket's address: as it is, or relative to the working folder.
func shorten(path string) (string, error) {
	limit := maxSocketPath()
	if len(path) <= limit {
		return path, nil
	}
	if cwd, err := os.Getwd(); err == nil {
		if abs, err := filepath.Abs(path); err == nil {
			if rel, err := filepath.Rel(cwd, abs); err == nil && len(rel) <= limit {
				return rel, nil
			}
		}
	}
	return "", fmt.Errorf("admin: the path %s is longer than the %d bytes that a socket's may have: choose a data folder with a shorter path, or work in a folder near it",
		path, limit)
}
