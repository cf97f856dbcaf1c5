package testpty

import "testing"

func TestPTY(t *testing.T) {
	p := Open(t, 20, 5)
	if _, err := p.Terminal.WriteString("hello\nyou"); err != nil {
		t.Fatal(err)
	}
	if lines := p.Await("the greeting", Says("you")); lines[0] != "hello" || lines[1] != "you" {
		t.Errorf("%q", lines)
	}
	p.Type("typed\r")
	buf := make([]byte, 20)
	if n, err := p.Terminal.Read(buf); err != nil || string(buf[:n]) != "typed\n" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	p.Await("the echo", Says("youtyped"))
	before := p.Mode()
	p.Resize(10, 3)
	if after := p.Mode(); after != before {
		t.Error("another size is another mode")
	}
}
