package pgstore

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

var typeNames = map[uint32]string{pgtype.Int2OID: "int2", pgtype.Int4OID: "int4", pgtype.Int8OID: "int8", pgtype.TextOID: "text", pgtype.ByteaOID: "bytea",
	pgtype.Int2ArrayOID: "int2[]", pgtype.Int8ArrayOID: "int8[]", pgtype.ByteaArrayOID: "bytea[]"}

// TestPlans looks at how the server would run the statements that go by keys, on tables that are empty and known to be: the plan must be
// good when they have grown, because it may be kept until then.
func TestPlans(t *testing.T) {
	ctx := context.Background()
	e, err := Open(emptyDatabase(t, "plans"), Options{AllowUnreplicated: true, Tool: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c, err := e.shards[0].acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if _, err := c.Exec(ctx, `VACUUM ANALYZE`); err != nil {
		t.Fatal(err)
	}
	keys := `'{1,2}', '{a,b}', '{a,b}'`
	for st, args := range map[statement]string{
		stDelete: keys, stDeleteAcks: keys, stPartial: keys + `, '{d,e}'`, stNotice: `'{1,2}', '{a,b}', 'me', -1`,
		stIndex: `1::smallint, 'a'`, stIndexAcks: `1::smallint, 'a'`, stRead: `1::smallint, 'a', '{a,b}'`, stFirst: `1::smallint, 'a', 10, 1000`, stMailbox: `'a'`, stExpiredAcks: keys,
		stExpired: `'{1,2}', '', '', 10, 0, 10, 0`,
	} {
		var types []string
		for _, oid := range statements[st].params {
			types = append(types, typeNames[oid])
		}
		err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			first := "SELECT 1"
			if st == stDelete || st == stDeleteAcks || st == stPartial {
				first = "SELECT " + byKeys
			}
			plan := fmt.Sprintf("plan_%d", st)
			for _, q := range []string{first, fmt.Sprintf("PREPARE %s (%s) AS %s", plan, strings.Join(types, ", "), statements[st].sql)} {
				if _, err := tx.Exec(ctx, q); err != nil {
					return err
				}
			}
			rows, err := tx.Query(ctx, fmt.Sprintf("EXPLAIN (COSTS OFF) EXECUTE %s (%s)", plan, args), pgx.QueryExecModeSimpleProtocol)
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if text := strings.Join(lines, "\n"); strings.Contains(text, "Seq Scan on mail") || strings.Contains(text, "Join Filter") ||
				!strings.Contains(text, "Index Cond") {
				t.Errorf("%s\n%s", statements[st].sql, text)
			}
			return err
		})
		if err != nil {
			t.Errorf("statement %d: %v", st, err)
		}
	}
}
