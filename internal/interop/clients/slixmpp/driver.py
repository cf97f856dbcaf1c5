"""Drives slixmpp by lines: commands on standard input, events on standard output, stanzas in the log on standard error.

internal/interop/driver_test.go describes the lines.
"""

import argparse
import asyncio
import logging
import sys

from slixmpp import ClientXMPP
from slixmpp.plugins.xep_0198.stanza import Resume
from slixmpp.stanza import Message


def tell(*fields):
    print("\t".join(fields), flush=True)


class Driver(ClientXMPP):
    def __init__(self, options):
        super().__init__(options.jid, options.password)
        self.options = options
        self.ca_certs = options.ca
        self.usual_domain = self.default_domain
        self.ending = False
        self.up = False  # logged in or resumed
        self.kept = []  # what the server hadn't acknowledged when the connection was lost
        self.waiting = []  # what is to be sent once there is a connection again
        self.finished = asyncio.get_event_loop().create_future()
        for plugin in ("xep_0030", "xep_0199", "xep_0203", "xep_0359"):
            self.register_plugin(plugin)
        self.register_plugin("xep_0184", {"auto_ack": True, "auto_request": False})
        if options.management:
            # The plugin empties its queue of unacknowledged stanzas when it asks to resume, and then has nothing to send again.
            self.add_filter("out_sync", self.keep_unacked)
            self.register_plugin("xep_0198", {"window": 5})
            self.add_filter("out_sync", self.restore_unacked)
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("session_resumed", self.resumed)
        self.add_event_handler("sm_failed", self.not_resumed)
        self.add_event_handler("stream_error", self.sent_away)
        self.add_event_handler("message", self.received)
        self.add_event_handler("receipt_received", lambda m: tell("receipt", str(m["from"]), m["receipt"]))
        self.add_event_handler("disconnected", self.lost)
        self.add_event_handler("failed_auth", lambda _: self.fail("authentication"))
        self.add_event_handler("connection_failed", lambda e: self.fail(str(e)))
        self.add_event_handler("ssl_invalid_chain", lambda e: self.fail(str(e)))
        self.add_event_handler("ssl_invalid_cert", lambda e: self.fail(str(e)))

    def open(self):
        self.default_domain = self.usual_domain  # the library takes the host that it was sent to for a domain
        direct = self.options.tls == "direct"
        self.connect((self.options.host, self.options.port), use_ssl=direct, force_starttls=not direct, disable_starttls=direct)

    def keep_unacked(self, stanza):
        if isinstance(stanza, Resume):
            self.kept = list(self["xep_0198"].unacked_queue)
        return stanza

    def restore_unacked(self, stanza):
        if isinstance(stanza, Resume):
            self["xep_0198"].unacked_queue.extend(self.kept)
        return stanza

    async def started(self, _):
        await self.get_roster()
        self.send_presence()
        tell("online", str(self.boundjid))
        self.flush()

    def resumed(self, _):
        tell("resumed")
        self.flush()

    def not_resumed(self, _):
        # What the server hadn't acknowledged, the library would forget.
        self.waiting[:0] = [stanza for _, stanza in self.kept if isinstance(stanza, Message)]
        self.kept = []

    def sent_away(self, error):
        if error["condition"] == "see-other-host":
            host, port = error["see_other_host"].rsplit(":", 1)
            self.options.host, self.options.port = host, int(port)

    def reconnect(self, *_, **__):
        self.disconnect()  # lost() connects again; the library would go where the domain's name leads, not where it was sent

    def flush(self):
        self.up = True
        for message in self.waiting:
            message.send()
        self.waiting = []

    def received(self, message):
        if message["type"] == "error":
            tell("error", str(message["from"]), message["error"]["condition"])
        elif message["body"]:
            delayed = "1" if message.get_plugin("delay", check=True) else "0"
            tell("message", str(message["from"]), message["id"], delayed, message["body"].rstrip())

    def lost(self, _):
        self.up = False
        # What it was given and hasn't sent yet, it would forget.
        while not self.waiting_queue.empty():
            stanza, _ = self.waiting_queue.get_nowait()
            self.waiting_queue.task_done()
            if isinstance(stanza, Message):
                self.waiting.append(stanza)
        tell("offline")
        if self.ending:
            self.finish()
        else:
            self.open()

    def fail(self, why):
        tell("failed", " ".join(why.split()))
        self.finish()

    def finish(self):
        if not self.finished.done():
            self.finished.set_result(None)

    def command(self, line):
        name, *fields = line.split("\t")
        if name == "send":
            to, identity, request, body = fields
            message = self.make_message(mto=to, mbody=body, mtype="chat")
            message["id"] = identity
            message["origin_id"]["id"] = self.boundjid.full + identity
            message["request_receipt"] = request == "1"
            self.waiting.append(message)
            if self.up:
                self.flush()
        elif name == "quit":
            self.ending = True
            self.disconnect()


async def main(options):
    driver = Driver(options)
    driver.open()
    reader = asyncio.StreamReader()
    await asyncio.get_event_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def commands():
        while line := await reader.readline():
            driver.command(line.decode().rstrip("\n"))

    reading = asyncio.ensure_future(commands())
    await driver.finished
    reading.cancel()


parser = argparse.ArgumentParser()
for name in ("host", "jid", "password", "ca", "tls"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--management", action="store_true")
logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(message)s", stream=sys.stderr)
logging.getLogger("asyncio").setLevel(logging.INFO)
asyncio.get_event_loop().run_until_complete(main(parser.parse_args()))
