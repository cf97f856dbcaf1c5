package client

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/jackdaw-im/jackdaw/xmpp"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// authenticate does SASL (RFC 6120 section 6) with the best mechanism both sides know.
func (c *Conn) authenticate(features *xmpp.Element, user string) error {
	mechanism, err := c.mechanism(features)
	if err != nil {
		return err
	}
	exchange, err := sasl.NewClient(mechanism, user, c.cfg.Password, c.cfg.Keys)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	response, err := exchange.Step(nil)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	b := []byte("<auth xmlns='" + nsSASL + "'")
	b = append(appendAttr(b, "mechanism", mechanism), '>')
	b = append(appendData(b, response), "</auth>"...)
	for {
		if err := c.write(b); err != nil {
			return err
		}
		e, err := c.expect(nsSASL, "challenge", "success", "failure")
		if err != nil {
			return err
		}
		if e.Name == "failure" {
			refused := &AuthError{}
			refused.Condition, _ = condition(e, nsSASL, "not-authorized")
			return refused
		}
		data, err := decodeData(e.Text())
		if err != nil {
			return err
		}
		if e.Name == "success" {
			return finish(exchange, data)
		}
		if response, err = exchange.Step(data); err != nil {
			return fmt.Errorf("client: %w", err)
		}
		b = append([]byte(nil), "<response xmlns='"+nsSASL+"'>"...)
		b = append(appendData(b, response), "</response>"...)
	}
}

// mechanism chooses one.
func (c *Conn) mechanism(features *xmpp.Element) (string, error) {
	offered := features.Child(nsSASL, "mechanisms")
	if offered == nil {
		return "", errors.New("client: the server offers no authentication")
	}
	wanted := c.cfg.Mechanisms
	if wanted == nil {
		wanted = DefaultMechanisms
	}
	best := len(wanted)
	for _, n := range offered.Nodes {
		if n.Elem != nil && n.Elem.Name == "mechanism" {
			if i := slices.Index(wanted, n.Elem.Text()); i >= 0 {
				best = min(best, i)
			}
		}
	}
	if best == len(wanted) {
		return "", errors.New("client: no common authentication mechanism")
	}
	return wanted[best], nil
}

// appendData appends base64. No data at all is "=" (RFC 6120 section 6.4.2), which differs from not being there.
func appendData(b, data []byte) []byte {
	if len(data) == 0 {
		return append(b, '=')
	}
	return base64.StdEncoding.AppendEncode(b, data)
}

func decodeData(text string) ([]byte, error) {
	if text == "" || text == "=" {
		return nil, nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("client: the server's authentication data: %w", err)
	}
	return data, nil
}

// finish verifies what came with success: SCRAM's last message proves that the server knows the password, too.
func finish(exchange *sasl.Client, data []byte) error {
	if _, err := exchange.Step(data); err != nil {
		return fmt.Errorf("client: the server's proof: %w", err)
	}
	if !exchange.Done() {
		return errors.New("client: the server calls it a success before it has proved itself")
	}
	return nil
}
