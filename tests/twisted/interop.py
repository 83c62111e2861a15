"""The other end of the conversations of the interop test, on Twisted.

Orders come as lines on standard input, answers go as lines to standard output:

    FRAMING PORT ..             once, at the start: where servers listen, all in one line
    cut MOST SEED               from now on connections read at most so many bytes at once, 0 for as
                                many as there are; with a seed, a new number up to that each time
    call FRAMING PORT SEED SIZE,SIZE,..
                                say messages of these sizes to that server

`cut` is answered by `.`, and `call`, when its connection is lost, by `. REASON` and what was wrong,
if anything was.

A client says its messages and ends its side. A server answers each message with the same bytes in
reverse order, and the end with how many there were; then it closes.
"""

import random
import sys

from twisted.internet import error, interfaces, protocol, reactor, stdio
from twisted.logger import globalLogBeginner
from twisted.protocols import basic
from zope.interface import implementer


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Cut:
    """How much is read at once."""

    most = 0
    chance = None

    def next(self):
        if not self.most:
            return 65536
        return self.chance.randint(1, self.most) if self.chance else self.most


cut = Cut()


class Ends:
    """What all framings share."""

    def connectionMade(self):
        self.transport.bufferSize = cut.next()
        self.made()

    def dataReceived(self, data):
        super().dataReceived(data)
        self.transport.bufferSize = cut.next()

    def lineReceived(self, line):
        self.stringReceived(line)

    def writeConnectionLost(self):
        pass


class Server(Ends):
    count = 0

    def made(self):
        pass

    def stringReceived(self, message):
        self.count += 1
        self.sendString(message[::-1])

    def readConnectionLost(self):
        self.sendString(b"%d" % self.count)
        self.transport.loseConnection()


class Client(Ends):
    def made(self):
        for message in self.factory.messages:
            self.sendString(message)
        self.transport.loseWriteConnection()
        self.expected = [message[::-1] for message in self.factory.messages]
        self.expected.append(b"%d" % len(self.factory.messages))
        self.wrong = ""

    def stringReceived(self, message):
        if not self.expected or message != self.expected.pop(0):
            self.wrong = f"a wrong message of {len(message)} bytes"

    def readConnectionLost(self):
        self.transport.loseConnection()

    def connectionLost(self, reason):
        if self.expected:
            self.wrong += f" {len(self.expected)} messages are missing"
        say(f". {reason.type.__name__} {self.wrong}".rstrip())


class Lines(basic.LineReceiver):
    def sendString(self, message):
        self.sendLine(message)


FRAMINGS = {
    "lines": Lines,
    "netstring": basic.NetstringReceiver,
    "int8": basic.Int8StringReceiver,
    "int16": basic.Int16StringReceiver,
    "int32": basic.Int32StringReceiver,
}


def make(end, framing):
    both = type(framing.__name__ + end.__name__, (end, framing), {})
    return implementer(interfaces.IHalfCloseableProtocol)(both)


class Orders(basic.LineReceiver):
    delimiter = b"\n"

    def lineReceived(self, line):
        verb, *rest = line.decode("ascii").split(" ")
        getattr(self, "order_" + verb)(*rest)

    def order_cut(self, most, seed):
        cut.most = int(most)
        cut.chance = random.Random(int(seed)) if int(seed) else None
        say(".")

    def order_call(self, framing, port, seed, sizes):
        chance = random.Random(int(seed))
        factory = protocol.ClientFactory.forProtocol(make(Client, FRAMINGS[framing]))
        factory.noisy = False
        factory.messages = [
            chance.randbytes(int(size)).replace(b"\n", b"-") for size in sizes.split(",")
        ]
        reactor.connectTCP("127.0.0.1", int(port), factory)

    def connectionLost(self, reason):
        reactor.stop()


globalLogBeginner.beginLoggingTo([lambda event: None], redirectStandardIO=False)
stdio.StandardIO(Orders())
ports = []
for name, framing in FRAMINGS.items():
    factory = protocol.Factory.forProtocol(make(Server, framing))
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    ports.append(f"{name} {port.getHost().port}")
say(" ".join(ports))
reactor.run()
