"""The subject of the parity scenarios, on Twisted.

Orders come as lines on standard input, what happens goes as lines to standard output:

    port N                      once, at the start: where the subject listens
    next FLAGS                  how the next accepted connection is to behave
    connect PORT FLAGS          make a connection that behaves so
    do OP,OP,..                 do that to the connection, in one go; `do ` alone only looks
    stop                        stop the reactor; answered by `e stopping` when that begins

`next`, `connect` and `do` are answered, when the reactor has gone round a few times, by a line
`. STATE WRITTEN BUFFERED`. In between come lines `e EVENT`. FLAGS are words: `half` for a protocol
that knows of half-closes, `made=OP,OP`, `data=..`, `eof=..`, `lost=..` for what it does in that
callback.
"""

import sys

from twisted.internet import interfaces, protocol, reactor, stdio
from twisted.logger import globalLogBeginner
from twisted.protocols import basic
from zope.interface import implementer

PERIOD = bytes(range(251))
PIECE = 64 * 1024
ROUNDS = 5


class Planted(Exception):
    """Raised on order."""


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Subject(protocol.Protocol):
    def __init__(self, flags):
        words = [word.partition("=") for word in flags if "=" in word]
        self.plans = {name: ops for name, _, ops in words}
        self.state = "none"
        self.written = 0

    def happened(self, name, detail=""):
        say(f"e {name} {detail}".rstrip())
        self.do(self.plans.get(name, ""))

    def connectionMade(self):
        self.state = "open"
        self.happened("made")

    def dataReceived(self, data):
        # Input is cut anywhere, so it is one byte of it that has its plan carried out.
        if b"!" in data:
            self.happened("data", data.decode("ascii"))
        else:
            say("e data " + data.decode("ascii"))

    def connectionLost(self, reason):
        self.state = "lost"
        self.happened("lost", reason.type.__name__)

    def do(self, ops):
        for op in filter(None, ops.split(",")):
            verb, _, count = op.partition(" ")
            getattr(self, "do_" + verb)(*([int(count)] if count else []))

    def do_write(self, count):
        phase = self.written % len(PERIOD)
        stream = PERIOD * (count // len(PERIOD) + 2)
        self.written += count
        self.transport.write(stream[phase : phase + count])

    def do_lose(self):
        self.transport.loseConnection()

    def do_abort(self):
        self.transport.abortConnection()

    def do_half(self):
        self.transport.loseWriteConnection()

    def do_pause(self):
        self.transport.pauseProducing()

    def do_resume(self):
        self.transport.resumeProducing()

    def do_produce(self, count):
        producer = Producer(self, count)
        self.transport.registerProducer(producer, True)
        producer.go()

    def do_raise(self):
        raise Planted()

    def buffered(self):
        if self.state != "open":
            return 0
        transport = self.transport
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


@implementer(interfaces.IHalfCloseableProtocol)
class HalfCloseable(Subject):
    def readConnectionLost(self):
        self.happened("eof")

    def writeConnectionLost(self):
        self.happened("write-ended")


@implementer(interfaces.IPushProducer)
class Producer:
    def __init__(self, subject, left):
        self.subject = subject
        self.left = left
        self.paused = False

    def go(self):
        while self.left and not self.paused:
            self.left -= PIECE
            self.subject.do_write(PIECE)
            if not self.left:
                say("e produced")
                self.subject.transport.unregisterProducer()

    def pauseProducing(self):
        if self.left:
            say("e pause-again" if self.paused else "e pause")
        self.paused = True

    def resumeProducing(self):
        say("e resume")
        self.paused = False
        self.go()

    def stopProducing(self):
        say("e stop")
        self.left = 0


class Factory(protocol.Factory):
    noisy = False
    current = None

    def prepare(self, flags):
        make = HalfCloseable if "half" in flags else Subject
        self.current = make(flags)
        return self.current

    def buildProtocol(self, address):
        return self.current


class OneWay(protocol.ClientFactory):
    noisy = False

    def __init__(self, made):
        self.made = made

    def buildProtocol(self, address):
        return self.made


class Orders(basic.LineReceiver):
    delimiter = b"\n"
    factory = Factory()

    def lineReceived(self, line):
        verb, *rest = line.decode("ascii").split(" ", 1)
        getattr(self, "order_" + verb)(*rest)

    def order_next(self, flags):
        self.factory.prepare(flags.split(";"))
        self.answer()

    def order_connect(self, rest):
        port, _, flags = rest.partition(" ")
        made = self.factory.prepare(flags.split(";"))
        reactor.connectTCP("127.0.0.1", int(port), OneWay(made))
        self.answer()

    def order_do(self, ops=""):
        try:
            self.factory.current.do(ops)
        except Exception as error:
            say(f"e failed {error!r}")
        self.answer()

    def order_stop(self):
        reactor.stop()

    def answer(self, rounds=ROUNDS):
        if rounds:
            reactor.callLater(0, self.answer, rounds - 1)
        else:
            it = self.factory.current
            say(f". {it.state} {it.written} {it.buffered()}")

    def connectionLost(self, reason):
        if reactor.running:
            reactor.stop()


globalLogBeginner.beginLoggingTo([lambda event: None], redirectStandardIO=False)
stdio.StandardIO(Orders())
port = reactor.listenTCP(0, Orders.factory, interface="127.0.0.1")
reactor.addSystemEventTrigger("before", "shutdown", say, "e stopping")
say(f"port {port.getHost().port}")
reactor.run()
