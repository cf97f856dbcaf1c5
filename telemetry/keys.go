package telemetry

// The keys of log entries. A message is constant, in lower case, and never holds what users wrote; what varies stands under one of
// these, so that a search for a key finds every entry about it. What went wrong is zap.Error's, under "error".
const (
	KeyActor       = "actor"       // kind/id of the actor it is about
	KeyAddress     = "address"     // HOST:PORT that the server listens on
	KeyChild       = "child"       // id of a child of a supervisor
	KeyChildren    = "children"    // how many of them
	KeyClass       = "class"       // of a link between nodes
	KeyDuration    = "duration"    // how long it took or will take
	KeyExitCode    = "exit_code"   // of this process
	KeyFile        = "file"        // a path
	KeyFingerprint = "fingerprint" // SHA-256 of a certificate
	KeyFolder      = "folder"      // the data folder
	KeyFree        = "free_bytes"  // of the data folder's disk
	KeyIntensity   = "intensity"   // restarts that a supervisor bears
	KeyItems       = "items"       // messages and acknowledgements in a commit
	KeyMessage     = "message"     // type of a message between actors, never its content
	KeyNode        = "node"        // name of a node of the cluster
	KeyNodes       = "nodes"       // how many of them
	KeyOperator    = "operator"    // who asked for it, by the name that a tool gave
	KeyPanic       = "panic"       // what an actor panicked with
	KeyPause       = "pause"       // how long something waits before it goes on
	KeyCluster     = "cluster"     // the cluster's id
	KeyView        = "view"        // the id of a view of the cluster
	KeyLeft        = "left"        // partitions that went elsewhere
	KeyPartitions  = "partitions"  // how many
	KeyActors      = "actors"      // how many
	KeyPeer        = "peer"        // another node, name@incarnation
	KeyPhase       = "phase"       // of a drain
	KeyPeriod      = "period"      // of the intensity
	KeyQueue       = "queue_len"   // messages that wait for an actor
	KeyReason      = "reason"      // why something ended or is refused
	KeyRemote      = "remote"      // a client's network address
	KeyRestart     = "restart"     // whether a child is started again
	KeyRestarts    = "restarts"    // in the period
	KeySession     = "session"     // id of a session actor
	KeySignal      = "signal"      // that the process got
	KeyStore       = "store"       // a database of the shared store
	KeySupervisor  = "supervisor"  // its id
	KeyText        = "text"        // another program's own words
	KeyTook        = "took"        // how long a handler ran
	KeyUser        = "user"        // bare address of a user, in the log of administration only
	KeyUsers       = "users"       // how many of them
	KeyVia         = "via"         // the node by which frames go to another one
	KeyVersion     = "version"     // of the bundle of keys that nodes share
)
