package pgstore

import "fmt"

// dbKind is what a database holds. One database may hold both kinds: their tables have different names.
type dbKind string

const (
	mailDB      dbKind = "mail"      // one shard of the mail
	directoryDB dbKind = "directory" // accounts, groups and the groups' logs
)

// Everything that a client can have chosen, ids and names included, is bytea: PostgreSQL then compares it byte by byte, as
// the other engines do, and stores what is not UTF-8 or holds a zero byte. (`SET bytea_output = 'escape'` makes it
// readable in psql.) Statements must be given []byte for it, never a string, in which a backslash would be an escape.
// Numbers of 64 bits are bigint, unsigned ones by their bits. Times are microseconds since 1970, 0 for none.

// migration is one step from a version of the schema to the next.
type migration struct {
	version int
	// compatible is the oldest version whose programs can go on with the database after this step.
	compatible int
	// contract marks a step that takes away what programs of the version before use. It is never taken at opening, but
	// only when an operator says that no such program runs any more.
	contract   bool
	what       string // for an operator
	statements []string
}

// schema is all steps of one kind of database, and what this program needs of it.
type schema struct {
	kind  dbKind
	steps []migration // versions 1, 2, ...
	needs int         // the oldest version that this program can work with
}

// latest returns the version that this program writes.
func (s *schema) latest() int { return s.steps[len(s.steps)-1].version }

// schemaOf returns the steps of a kind of database.
func schemaOf(kind dbKind) *schema {
	if kind == mailDB {
		return &schema{kind: kind, needs: 1, steps: []migration{
			{version: 1, compatible: 1, what: "mail, acknowledgements, claims and notices", statements: mailV1()},
			clusterStep,
		}}
	}
	return &schema{kind: kind, needs: 1, steps: []migration{
		{version: 1, compatible: 1, what: "accounts, devices, rosters, groups and their logs", statements: directoryV1},
		clusterStep,
	}}
}

// bookkeeping is the table that says what is in a database. Whoever shards the mail writes the last three columns: which
// store the database belongs to, and which of how many shards it is.
const bookkeeping = `CREATE TABLE IF NOT EXISTS jackdaw_schema (
	kind text PRIMARY KEY,
	version integer NOT NULL,
	compatible integer NOT NULL,
	store text NOT NULL DEFAULT '',
	shard integer NOT NULL DEFAULT -1,
	shards integer NOT NULL DEFAULT 0
)`

// clusterStep makes room for the id of the cluster whose a database is. Programs of before neither see nor change it. The table is
// that of both kinds, which one database may hold.
var clusterStep = migration{version: 2, compatible: 1, what: "the cluster that the database belongs to",
	statements: []string{`ALTER TABLE jackdaw_schema ADD COLUMN IF NOT EXISTS cluster text NOT NULL DEFAULT ''`}}

// mailTables is into how many tables the mail of one shard is split, so that each can be vacuumed by itself.
const mailTables = 16

// churn are the settings of tables whose rows live for seconds: they are vacuumed early and without pauses. Truncating is
// off because it takes a lock that stops appends, for pages that are filled again at once.
const churn = `autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_scale_factor = 0.2,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = false`

// marks are what each node's writes leave behind, by which a server that has lost something is found out: see slots.go. Rows are
// changed all the time and are few, so pages are left mostly empty. One table serves a database that holds both kinds.
const marks = `CREATE TABLE IF NOT EXISTS mark (
	node text NOT NULL,
	slot integer NOT NULL,
	seq bigint NOT NULL,
	lsn pg_lsn NOT NULL,
	PRIMARY KEY (node, slot)
) WITH (fillfactor = 20, ` + churn + `)`

// mailV1 makes the tables of one mail shard. p is the mailbox's partition, first in the keys so that one node's mailboxes
// can be walked without those of others.
func mailV1() []string {
	out := []string{`CREATE TABLE mail (
	p smallint NOT NULL,
	mailbox bytea NOT NULL,
	msgid bytea NOT NULL,
	ord bigint NOT NULL,
	exp bigint NOT NULL,
	cseq bigint NOT NULL,
	flags smallint NOT NULL,
	sender bytea NOT NULL,
	body bytea NOT NULL,
	PRIMARY KEY (p, mailbox, msgid)
) PARTITION BY HASH (p)`}
	for i := range mailTables {
		out = append(out, fmt.Sprintf(`CREATE TABLE mail_%02d PARTITION OF mail FOR VALUES WITH (MODULUS %d, REMAINDER %d) WITH (%s)`,
			i, mailTables, i, churn))
	}
	return append(out, marks,
		`CREATE TABLE mail_ack (
	p smallint NOT NULL,
	mailbox bytea NOT NULL,
	msgid bytea NOT NULL,
	device bytea NOT NULL,
	PRIMARY KEY (p, mailbox, msgid, device)
) WITH (`+churn+`)`,
		// A claim changes the owner of a partition; epoch counts claims and is for people only.
		`CREATE TABLE part (
	p smallint PRIMARY KEY,
	owner text NOT NULL,
	epoch bigint NOT NULL
) WITH (fillfactor = 50)`,
		`INSERT INTO part (p, owner, epoch) SELECT n, '', 0 FROM generate_series(0, 4095) AS s(n)`,
		`CREATE TABLE claims (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	version bigint NOT NULL
)`,
		`INSERT INTO claims (version) VALUES (0)`,
		// No other unique key: two writers must never wait for each other, nor may one's notice swallow the other's.
		`CREATE TABLE foreign_writes (
	n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	p smallint NOT NULL,
	mailbox bytea NOT NULL
) WITH (`+churn+`)`)
}

// directoryV1 makes the tables of the directory. The two Scrams of an account are its columns, empty for a mechanism that
// it can't use.
var directoryV1 = []string{
	marks,
	// The shards of the mail, as shown to people, and the shard of each partition.
	`CREATE TABLE shard (
	n integer PRIMARY KEY,
	url text NOT NULL
)`,
	`CREATE TABLE shard_part (
	p smallint PRIMARY KEY,
	n integer NOT NULL
)`,
	`CREATE TABLE account (
	user_id bytea PRIMARY KEY,
	rev bigint NOT NULL,
	disabled boolean NOT NULL,
	created bigint NOT NULL,
	sha1_salt bytea NOT NULL,
	sha1_iterations integer NOT NULL,
	sha1_stored bytea NOT NULL,
	sha1_server bytea NOT NULL,
	sha256_salt bytea NOT NULL,
	sha256_iterations integer NOT NULL,
	sha256_stored bytea NOT NULL,
	sha256_server bytea NOT NULL,
	roster_rev bigint NOT NULL DEFAULT 0
)`,
	`CREATE TABLE device (
	user_id bytea NOT NULL,
	id bytea NOT NULL,
	name bytea NOT NULL,
	since bigint NOT NULL,
	last_seen bigint NOT NULL,
	logins bigint NOT NULL,
	PRIMARY KEY (user_id, id)
)`,
	`CREATE TABLE roster (
	user_id bytea NOT NULL,
	contact bytea NOT NULL,
	name bytea NOT NULL,
	groups bytea[] NOT NULL,
	listed boolean NOT NULL,
	subscription smallint NOT NULL,
	ask boolean NOT NULL,
	pending_in boolean NOT NULL,
	request bytea NOT NULL,
	rev bigint NOT NULL,
	PRIMARY KEY (user_id, contact)
)`,
	`CREATE TABLE block (
	user_id bytea NOT NULL,
	address bytea NOT NULL,
	PRIMARY KEY (user_id, address)
)`,
	`CREATE TABLE groups (
	gid bytea PRIMARY KEY,
	owner bytea NOT NULL,
	subject bytea NOT NULL,
	settings bytea NOT NULL,
	created bigint NOT NULL,
	members bigint NOT NULL,
	rev bigint NOT NULL
)`,
	`CREATE TABLE member (
	gid bytea NOT NULL,
	user_id bytea NOT NULL,
	role bytea NOT NULL,
	joined_rev bigint NOT NULL,
	PRIMARY KEY (gid, user_id)
)`,
	`CREATE INDEX member_user ON member (user_id, gid)`,
	// done is when every member had its copy, 0 before; the body is empty from then on.
	`CREATE TABLE group_log (
	gid bytea NOT NULL,
	id bytea NOT NULL,
	ord bigint NOT NULL,
	rev bigint NOT NULL,
	exp bigint NOT NULL,
	done bigint NOT NULL,
	sender bytea NOT NULL,
	body bytea NOT NULL,
	PRIMARY KEY (gid, id)
) WITH (` + churn + `)`,
	`CREATE INDEX group_log_unfinished ON group_log (gid, ord, id) WHERE done = 0`,
	`CREATE INDEX group_log_done ON group_log (done) WHERE done <> 0`,
	// How far the loading of another store's content has come; no row while nothing is loaded.
	`CREATE TABLE loading (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	source text NOT NULL,
	part smallint NOT NULL,
	after bytea NOT NULL
)`,
}
