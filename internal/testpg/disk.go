package testpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrNoDisk says that no file system can be mounted here.
var ErrNoDisk = errors.New("testpg: a disk of its own takes root on Linux, and the right to mount")

// Disk is a small file system in memory that belongs to the user that servers run as. It can be filled. NewDisk makes it, Close ends it.
type Disk struct {
	// Path is where it is.
	Path string
}

// NewDisk makes a disk of so many megabytes. Where that can't be done, the error is ErrNoDisk.
func NewDisk(megabytes int) (*Disk, error) {
	if os.Getuid() != 0 {
		return nil, ErrNoDisk
	}
	owner, err := account()
	if err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp("", "testpg-disk-")
	if err != nil {
		return nil, fmt.Errorf("testpg: %w", err)
	}
	options := fmt.Sprintf("size=%dm,mode=0700,uid=%d,gid=%d", megabytes, owner.Uid, owner.Gid)
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "testpg", path).CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w: %s", ErrNoDisk, err, strings.TrimSpace(string(out))), os.Remove(path))
	}
	return &Disk{path}, nil
}

func (d *Disk) ballast() string { return filepath.Join(d.Path, "ballast") }

// Fill takes all the room that is left.
func (d *Disk) Fill() error {
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(block)
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	return nil
}

// MakeRoom gives back what Fill has taken.
func (d *Disk) MakeRoom() error {
	if err := os.Remove(d.ballast()); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	return nil
}

// Close takes the disk away, with all that is on it, also if somebody uses it still.
func (d *Disk) Close() error {
	if out, err := exec.Command("umount", "--lazy", d.Path).CombinedOutput(); err != nil {
		return fmt.Errorf("testpg: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if err := os.Remove(d.Path); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	return nil
}
