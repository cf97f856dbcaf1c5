package config

import (
	"os"
	"path/filepath"
	"time"
)

// Config is everything an operator may choose. The zero value is not useful: take Default or Load. It holds plain values only and
// may be copied.
type Config struct {
	Data        string `key:"data" doc:"Folder with everything the server keeps. It is made if there is none."`
	Domain      string `key:"domain" doc:"The served domain: the part of users' addresses behind the @."`
	C2S         string `key:"c2s" doc:"HOST:PORT for clients that begin in plain text and change to TLS (STARTTLS). Empty: not opened. A node of a cluster that isn't told has :5222, every interface."`
	C2STLS      string `key:"c2s_tls" doc:"HOST:PORT for clients that speak TLS from the first byte. Empty: not opened. A node of a cluster that isn't told has :5223."`
	Admin       string `key:"admin" doc:"HOST:PORT for /healthz, /readyz, /metrics and /debug/pprof. It asks nobody for a password, so keep it private. Empty: not opened."`
	LogLevel    string `key:"log_level" doc:"The least important messages that are logged: debug, info, warn or error."`
	LogFormat   string `key:"log_format" doc:"console for people, json for machines, auto for console on a terminal and json elsewhere."`
	Certificate string `key:"certificate" doc:"PEM file with the TLS certificate and its chain; SIGHUP reads it again. Empty: one is made in the data folder."`
	Key         string `key:"key" doc:"PEM file with the certificate's private key. Empty: made together with the certificate."`

	Limits  Limits  `key:"limits"`
	Mailbox Mailbox `key:"mailbox"`
	Session Session `key:"session"`
	Store   Store   `key:"store"`
	Cluster Cluster `key:"cluster"`
	Dump    Dump    `key:"dump"`
}

// Limits bound what one client connection may do.
type Limits struct {
	StanzaBytesBeforeAuth Size `key:"stanza_bytes_before_auth" doc:"Size of one stanza before the client has logged in. At least 4KiB."`
	StanzaBytes           Size `key:"stanza_bytes" doc:"Size of one stanza. At least 10000B (RFC 6120)."`
	Stanzas               int  `key:"stanzas" doc:"Stanzas a second that a client may send. Over it, its connection isn't read for a while. 0: no limit."`
	Bytes                 Size `key:"bytes" doc:"Bytes a second that a client may send. Over it, its connection isn't read for a while. 0: no limit."`
}

// Mailbox bounds one user's queue of undelivered messages. Over a bound the sender gets an error.
type Mailbox struct {
	Messages int           `key:"messages" doc:"Messages that may wait for one user."`
	Bytes    Size          `key:"bytes" doc:"Bytes that may wait for one user."`
	Stranger int           `key:"stranger" doc:"Messages that a sender who isn't among the user's contacts may have waiting there. At least 1."`
	Share    int           `key:"share" doc:"Percentage of one user's room that any one sender may fill."`
	TTL      time.Duration `key:"ttl" doc:"How long a message waits before it expires and its sender is told. At least 1m."`
}

// Session says how sessions outlive bad connections.
type Session struct {
	ResumeTime  time.Duration `key:"resume_time" doc:"How long a session waits for its client to come back after the connection was lost. 0s: not at all."`
	IdlePing    time.Duration `key:"idle_ping" doc:"Silence after which a client is asked whether it is still there."`
	PingTimeout time.Duration `key:"ping_timeout" doc:"How long the answer may take before the connection is closed. Its messages stay."`
}

// Store says where messages and accounts are kept.
type Store struct {
	URL               string `key:"url" secret:"true" doc:"PostgreSQL databases of a cluster's messages, postgres://USER:PASSWORD@HOST/NAME, separated by commas. Only the first node needs it: those that join are told. Empty: the embedded store in the data folder."`
	Directory         string `key:"directory" secret:"true" doc:"PostgreSQL database of accounts and groups. Empty: the first of url."`
	AllowUnreplicated bool   `key:"allow_unreplicated" doc:"true takes messages also while no synchronous standby has a copy: what is acknowledged then is lost with the database's disk."`

	// What follows is the embedded store's.
	StopBelow   Size          `key:"stop_below" doc:"Free space on the disk below which new messages are refused; reading and delivering go on."`
	ResumeAbove Size          `key:"resume_above" doc:"Free space above which they are taken again."`
	Cache       Size          `key:"cache" doc:"Memory for the store's blocks and tables. At least 32MiB."`
	Lanes       int           `key:"lanes" doc:"How many commits of messages run at a time, in a cluster for each database."`
	Linger      time.Duration `key:"linger" doc:"How long a commit of few messages waits for more. Senders' acknowledgements take so much longer, deliveries don't. 0s: not at all."`
}

// Cluster says how this node finds the others, and they it.
type Cluster struct {
	Name      string        `key:"name" doc:"Name of this node, which no other node has; it keeps its share of the users by it. Empty: the machine's host name."`
	Listen    string        `key:"listen" doc:"HOST:PORT for other nodes, UDP and TCP; the TCP port above it is for messages between nodes. Empty: there is no cluster, unless join is given or the data folder is of a node that has joined one: then it is :5300."`
	Advertise string        `key:"advertise" doc:"HOST:PORT by which other nodes reach listen. Empty: what listen says, or this machine's first private address."`
	Carriage  string        `key:"carriage" doc:"HOST:PORT for messages between nodes, TCP; others reach it by the host of advertise. Empty: that of listen, with the next port."`
	Client    string        `key:"client" doc:"HOST:PORT by which clients reach this node, for those who are sent on from another node or resume a session. Empty: they aren't told."`
	Join      string        `key:"join" doc:"HOST:PORT of nodes to join, separated by commas: any of the cluster. Once joined, a node remembers the others."`
	Token     string        `key:"token" secret:"true" doc:"What lets this node join for the first time; \"jackdaw cluster token\" makes it."`
	Weight    int           `key:"weight" doc:"Share of the users in relation to other nodes' weights."`
	Grace     time.Duration `key:"grace" doc:"How long a node that can't be reached keeps its share before others take it over."`
	Forget    time.Duration `key:"forget" doc:"How long gossip still talks to a node that can't be reached. After a longer cut the halves of a cluster find each other by rejoin."`
	Rejoin    time.Duration `key:"rejoin" doc:"How often nodes to join, and those of the past, are tried again while they are missing."`
	Authority string        `key:"authority" doc:"PEM file with the authorities of the nodes' certificates, if they are made by hand: \"jackdaw cert\". Empty: nodes make their certificates themselves."`
	NodeCert  string        `key:"certificate" doc:"PEM file with this node's certificate, if authority is given."`
	NodeKey   string        `key:"key" doc:"PEM file with that certificate's key."`
}

// Dump says when crash dumps are written unasked, and how many are kept, in the folder dumps of the data folder.
type Dump struct {
	Keep   int `key:"keep" doc:"How many crash dumps are kept in the data folder's dumps; the oldest goes first. At least 1."`
	Memory int `key:"memory" doc:"Percentage of the memory limit (the least of GOMEMLIMIT, the control group's and the machine's) above which a crash dump is written, once until much less is used. 0: never."`
}

// The defaults that are the same as those of the packages they configure are compared with them by a test of cmd/jackdaw.
const (
	DefaultData     = "./jackdaw-data"
	DefaultDomain   = "localhost"
	DefaultC2S      = "127.0.0.1:5222"
	DefaultC2STLS   = "127.0.0.1:5223"
	DefaultAdmin    = "127.0.0.1:5290"
	DefaultLogLevel = "info"
	DefaultCluster  = ":5300"

	// Of a node of a cluster.
	ClusterC2S    = ":5222"
	ClusterC2STLS = ":5223"
)

// Default returns the configuration of a server that was told nothing.
func Default() *Config {
	return &Config{
		Data: DefaultData, Domain: DefaultDomain, C2S: DefaultC2S, C2STLS: DefaultC2STLS, Admin: DefaultAdmin,
		LogLevel: DefaultLogLevel, LogFormat: "auto",
		Limits:  Limits{StanzaBytesBeforeAuth: 8 << 10, StanzaBytes: 256 << 10, Stanzas: 1000, Bytes: 1 << 20},
		Mailbox: Mailbox{Messages: 10_000, Bytes: 64 << 20, Stranger: 100, Share: 20, TTL: 30 * 24 * time.Hour},
		Session: Session{ResumeTime: 15 * time.Minute, IdlePing: 5 * time.Minute, PingTimeout: time.Minute},
		Store:   Store{StopBelow: 512 << 20, ResumeAbove: 1 << 30, Cache: 128 << 20, Lanes: 4, Linger: 2 * time.Millisecond},
		Cluster: Cluster{Weight: 100, Grace: 2 * time.Second, Forget: 30 * time.Second, Rejoin: 30 * time.Second},
		Dump:    Dump{Keep: 10, Memory: 90},
	}
}

// Clustered reports whether the node is to belong to a cluster, or its data folder is of one that does.
func (c *Config) Clustered() bool {
	if c.Cluster.Listen != "" || c.Cluster.Join != "" {
		return true
	}
	_, err := os.Stat(c.BundleFile())
	return err == nil
}

// StoreURL names the embedded store of the data folder, as pebblestore.Open takes it.
func (c *Config) StoreURL() string { return "pebble:" + filepath.Join(c.Data, "store") }

// BundleFile holds what the nodes of a cluster share, on a node that belongs to one.
func (c *Config) BundleFile() string { return filepath.Join(c.Data, "cluster", "bundle.json") }

// MembersFile holds the addresses of the cluster's other nodes, for the next start.
func (c *Config) MembersFile() string { return filepath.Join(c.Data, "cluster", "members") }

// NamesFile holds the names of the nodes at those addresses, as far as they are known. It is a file of its own because older versions read the
// other one as addresses alone.
func (c *Config) NamesFile() string { return filepath.Join(c.Data, "cluster", "members.names") }

// MovedFile says that what is in the embedded store was moved to a cluster's, and to which.
func (c *Config) MovedFile() string { return filepath.Join(c.Data, "moved") }

// DomainFile holds the domain that the data folder's server served last, for who works on the folder while none runs.
func (c *Config) DomainFile() string { return filepath.Join(c.Data, "domain") }

// SocketFile is where a running server takes administration.
func (c *Config) SocketFile() string { return filepath.Join(c.Data, "jackdaw.sock") }

// CheckpointFolder is where a running server puts a checkpoint of its store, for a backup.
func (c *Config) CheckpointFolder() string { return filepath.Join(c.Data, "checkpoint") }

// DumpFolder is where crash dumps are.
func (c *Config) DumpFolder() string { return filepath.Join(c.Data, "dumps") }
