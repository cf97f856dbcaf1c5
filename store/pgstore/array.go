package pgstore

import (
	"encoding/binary"

	"github.com/jackc/pgx/v5/pgtype"
)

// array is a parameter that is an array, in PostgreSQL's binary format: a header, then each element behind its length. A batch of a
// thousand rows is nine of them; made this way they cost no reflection.
type array struct{ buf []byte }

// begin writes the header: dimensions (1), nulls (0), the type of an element, the length, the lowest index (1).
func (a *array) begin(oid uint32, n int) {
	a.buf = binary.BigEndian.AppendUint32(a.buf[:0], 1)
	a.buf = binary.BigEndian.AppendUint32(a.buf, 0)
	a.buf = binary.BigEndian.AppendUint32(a.buf, oid)
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(n))
	a.buf = binary.BigEndian.AppendUint32(a.buf, 1)
}

func (a *array) int16s(n int)  { a.begin(pgtype.Int2OID, n) }
func (a *array) int64s(n int)  { a.begin(pgtype.Int8OID, n) }
func (a *array) strings(n int) { a.begin(pgtype.ByteaOID, n) }

func (a *array) int16(v int16) {
	a.buf = binary.BigEndian.AppendUint32(a.buf, 2)
	a.buf = binary.BigEndian.AppendUint16(a.buf, uint16(v))
}

func (a *array) int64(v int64) {
	a.buf = binary.BigEndian.AppendUint32(a.buf, 8)
	a.buf = binary.BigEndian.AppendUint64(a.buf, uint64(v))
}

func (a *array) string(v string) {
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(len(v)))
	a.buf = append(a.buf, v...)
}

func (a *array) bytes(v []byte) {
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(len(v)))
	a.buf = append(a.buf, v...)
}

// The single values.

func int64Param(v int64) []byte        { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
func int16Param[T ~uint16](v T) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func int32Param(v int32) []byte        { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
