"""Servers and tasks on Twisted, with the reactor that it chooses.

    python twisted_peer.py twisted echo|lines|close|fanout
    python twisted_peer.py twisted deferreds|timers-set|... TIMES
"""

import sys
import time

from twisted.internet import defer, protocol, reactor
from twisted.protocols import basic

LIVE = 10_000
BATCH = 100
SOON = 0.5


class Echo(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


class Close(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data)
        self.transport.loseConnection()


class Lines(basic.LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line)


class Member(basic.LineReceiver):
    room = set()

    def connectionMade(self):
        self.room.add(self)

    def lineReceived(self, line):
        for member in self.room:
            member.sendLine(line)

    def connectionLost(self, reason):
        self.room.discard(self)


SERVERS = {"echo": Echo, "lines": Lines, "close": Close, "fanout": Member}


def serve(subject):
    factory = protocol.Factory.forProtocol(SERVERS[subject])
    port = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    address = port.getHost()
    print(f"listening on {address.host}:{address.port}", flush=True)
    reactor.run()


def deferreds(times):
    right = 0
    for number in range(times):
        deferred = defer.Deferred()
        came = []
        deferred.addCallback(lambda value: value + 1)
        deferred.addCallback(lambda value: value * 2)
        deferred.addCallback(came.append)
        deferred.callback(number)
        right += came == [(number + 1) * 2]
    return right


def far(number):
    return 3600 * (1 + number * 7919 % 10_007)


class Timers:
    def __init__(self):
        self.timers = []
        self.fired = 0

    def ring(self):
        self.fired += 1

    def set(self, times, after=far):
        for number in range(times):
            self.timers.append(reactor.callLater(after(number), self.ring))
            self.turn_after(number)

    def turn_after(self, number):
        if number % BATCH == BATCH - 1:
            reactor.iterate(0)


def timers_set(times):
    timers = Timers()
    timers.set(LIVE)
    timers.set(times)
    return len(timers.timers) - LIVE


def timers_reset(times):
    timers = Timers()
    timers.set(LIVE)
    for number in range(times):
        timers.timers[number % LIVE].reset(far(number))
        timers.turn_after(number)
    return times


def timers_cancel(times):
    """Sets timers and cancels them a turn later."""
    timers = Timers()
    timers.set(LIVE)
    for first in range(0, times, BATCH):
        timers.set(min(BATCH, times - first))
        for timer in timers.timers[LIVE:]:
            timer.cancel()
        del timers.timers[LIVE:]
        reactor.iterate(0)
    return times


def timers_fire(times):
    """Sets timers and runs them."""
    timers = Timers()
    timers.set(LIVE)
    timers.set(times, lambda _: SOON)
    time.sleep(1.25 * SOON)
    while timers.fired < times:
        reactor.iterate(0)
    return timers.fired


TASKS = {
    "deferreds": deferreds,
    "timers-set": timers_set,
    "timers-reset": timers_reset,
    "timers-cancel": timers_cancel,
    "timers-fire": timers_fire,
}


def main(_, subject, times=None):
    if times is None:
        serve(subject)
        return
    assert TASKS[subject](int(times)) == int(times)
    print("done", flush=True)
    sys.stdin.read()


main(*sys.argv[1:])
