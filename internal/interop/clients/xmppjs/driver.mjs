// Drives @xmpp/client by lines: commands on standard input, events on standard output, stanzas on standard error.
//
// internal/interop/driver_test.go describes the lines. Receipts (XEP-0184) are the application's part with this library, so they
// are made here. Stream management (XEP-0198) has no switch: the library enables it where the server offers it.

import { webcrypto } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";

globalThis.crypto ??= webcrypto; // node 18 has it under its other name only

const { client, xml } = await import("@xmpp/client");

const { values: options } = parseArgs({
  options: Object.fromEntries(["host", "port", "jid", "password", "tls"].map((name) => [name, { type: "string" }])),
});

const receipts = "urn:xmpp:receipts";
const [, username, domain, resource] = options.jid.match(/^([^@]+)@([^/]+)\/(.+)$/);

function tell(...fields) {
  process.stdout.write(fields.join("\t") + "\n");
}

function log(...fields) {
  process.stderr.write([new Date().toISOString(), ...fields].join(" ") + "\n");
}

const xmpp = client({
  service: `${options.tls === "direct" ? "xmpps" : "xmpp"}://${options.host}:${options.port}`,
  domain,
  resource,
  username,
  password: options.password,
});
xmpp.reconnect.delay = 50;
xmpp.timeout = 10_000; // of one step of a login; two seconds are too few on a busy machine

let wasOnline = false;
let ready = false; // available, and the stream is managed

function fail(why) {
  tell("failed", String(why).replace(/\s+/g, " "));
  process.exit(1);
}

xmpp.on("element", (element) => log("RECV", element));
xmpp.on("send", (element) => log("SEND", element));
xmpp.on("error", (error) => {
  log("ERROR", error);
  // What ends a connection is reported as an error, too; only what ends the first login is fatal.
  if (!wasOnline) fail(error);
});
xmpp.on("disconnect", () => tell("offline"));
xmpp.on("online", async (jid) => {
  wasOnline = true;
  // Version 0.14.0 asks for stream management after this event, and forgets the stanzas that it reads together with the answer. So
  // nothing is asked for before.
  while (!xmpp.streamManagement.enabled) await setTimeout(5);
  await xmpp.send(xml("presence"));
  tell("online", jid);
  ready = true;
  flush();
});
xmpp.streamManagement.on("resumed", () => tell("resumed"));

xmpp.on("stanza", (stanza) => {
  if (!stanza.is("message")) return;
  const { from, id, type } = stanza.attrs;
  const received = stanza.getChild("received", receipts);
  const body = stanza.getChildText("body");
  if (type === "error") {
    tell("error", from, stanza.getChild("error").getChildElements()[0].name);
  } else if (received) {
    tell("receipt", from, received.attrs.id);
  } else if (body) {
    const delayed = stanza.getChild("delay", "urn:xmpp:delay") ? "1" : "0";
    tell("message", from, id ?? "", delayed, body.trimEnd());
    if (stanza.getChild("request", receipts)) {
      send(xml("message", { to: from, type: "chat" }, xml("received", { xmlns: receipts, id })));
    }
  }
});

// The library takes over the responsibility for a stanza once it has written it, and not before: so all wait here for their turn.
const waiting = [];
let sending = false;

function send(stanza) {
  waiting.push(stanza);
  flush();
}

async function flush() {
  if (sending) return;
  sending = true;
  try {
    while (waiting.length > 0 && ready && xmpp.status === "online") {
      await xmpp.send(waiting[0]);
      waiting.shift();
    }
  } catch (error) {
    log("ERROR", error);
  }
  sending = false;
}

xmpp.streamManagement.on("resumed", () => setImmediate(flush));

const commands = {
  send(to, id, request, body) {
    const stanza = xml("message", { to, id, type: "chat" }, xml("body", {}, body));
    if (request === "1") stanza.append(xml("request", { xmlns: receipts }));
    send(stanza);
  },
  async quit() {
    await xmpp.stop();
    process.exit(0);
  },
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const [name, ...fields] = line.split("\t");
  commands[name](...fields);
});

xmpp.start().catch(fail);
