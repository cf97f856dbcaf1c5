package mixed

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// oldest is the commit whose server nodes of this version must get along with: the oldest one that can form a cluster.
//
// The commits before it, from the first whose nodes can belong to a cluster, can only found one. A second node joins with a token, and there
// is nothing that makes one: `jackdaw cluster token` either isn't a command yet, or the founder refuses it with "this server isn't part of a
// cluster". So the test would fail before a node of this version is started. Every commit from here on has tokens, drains and the rest of it.
//
// It moves forward only when support for a version is given up on purpose, which an operator then has to be told: the protocol's number in
// node/cluster.go (oldestProtocol) goes up with it, and it becomes the first commit with the protocol that is still understood.
const oldest = "4c67741ae865505616a6ad1155f2c95c0d23366b"

// older is a version of the server built from a commit.
type older struct {
	// binary is the path of the server's.
	binary string
	// files are the definitions of its messages.
	files *descriptorpb.FileDescriptorSet
}

// tell is a program for the older tree that writes the definitions of its messages to standard output.
const tell = `package main

import (
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "github.com/jackdaw-im/jackdaw/proto/adminpb"
	_ "github.com/jackdaw-im/jackdaw/proto/chatpb"
	_ "github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func main() {
	set := &descriptorpb.FileDescriptorSet{}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
		return true
	})
	b, err := proto.Marshal(set)
	if err == nil {
		_, err = os.Stdout.Write(b)
	}
	if err != nil {
		panic(err)
	}
}
`

// build builds the server of a commit in a folder.
func build(ctx context.Context, commit, dir string) (*older, error) {
	tree, out := filepath.Join(dir, "tree"), filepath.Join(dir, "bin")
	if err := checkOut(ctx, commit, tree); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(tree, "tell"), 0o700); err != nil {
		return nil, fmt.Errorf("mixed: %w", err)
	}
	if err := os.WriteFile(filepath.Join(tree, "tell", "main.go"), []byte(tell), 0o600); err != nil {
		return nil, fmt.Errorf("mixed: %w", err)
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return nil, fmt.Errorf("mixed: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", out, "./cmd/jackdaw", "./tell")
	cmd.Dir = tree
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mixed: building commit %s: %w\n%s", commit, err, said)
	}
	told, err := exec.CommandContext(ctx, filepath.Join(out, "tell")).Output()
	if err != nil {
		return nil, fmt.Errorf("mixed: the messages of commit %s: %w", commit, err)
	}
	o := &older{binary: filepath.Join(out, "jackdaw"), files: &descriptorpb.FileDescriptorSet{}}
	if err := proto.Unmarshal(told, o.files); err != nil {
		return nil, fmt.Errorf("mixed: the messages of commit %s: %w", commit, err)
	}
	return o, nil
}

// checkOut writes the files of a commit of the clone that this runs in into a folder.
func checkOut(ctx context.Context, commit, to string) error {
	at := "."
	git := func(args ...string) ([]byte, error) {
		var said bytes.Buffer
		// The clone may be another user's.
		cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "safe.directory=*"}, args...)...)
		cmd.Dir, cmd.Stderr = at, &said
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("mixed: git %s: %w: %s", args[0], err, strings.TrimSpace(said.String()))
		}
		return out, err
	}
	root, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		return fmt.Errorf("%w: the older version is built from the history of a clone", err)
	}
	at = strings.TrimSpace(string(root)) // an archive is of the folder that it is made in
	if _, err := git("cat-file", "-e", commit+"^{commit}"); err != nil {
		return fmt.Errorf("%w: this clone has no commit %s: if it is a shallow one, get its history with `git fetch --unshallow`", err, commit)
	}
	archive, err := git("archive", "--format=tar", commit)
	if err != nil {
		return err
	}
	return extract(archive, to)
}

// extract writes the folders and files of an archive.
func extract(archive []byte, to string) error {
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("mixed: %w", err)
		}
		if !filepath.IsLocal(h.Name) {
			return fmt.Errorf("mixed: the archive has %q", h.Name)
		}
		path := filepath.Join(to, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(path, 0o700)
		case tar.TypeReg:
			var text []byte
			if text, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, text, h.FileInfo().Mode().Perm()|0o600)
			}
		}
		if err != nil {
			return fmt.Errorf("mixed: %w", err)
		}
	}
}
