"""The other end of datagrams: `datagrams.py asyncio|twisted serve` and
`datagrams.py asyncio|twisted call PORT COUNT`.

A server says at which port it is and answers each datagram with the same bytes in reverse order,
until its standard input ends. A caller sends so many, each when the one before was answered, and
says `ok` when all answers were right.
"""

import sys


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def question(number):
    # Never empty: asyncio sends no empty datagram before Python 3.13.
    return str(number).encode() * (1 + number % 50)


class Caller:
    """What both ends share."""

    def __init__(self, count):
        self.number, self.count = 0, count

    def next(self):
        if self.number == self.count:
            say("ok")
            return None
        return question(self.number)

    def answered(self, data):
        wanted = question(self.number)[::-1]
        if data != wanted:
            say("wrong: %r instead of %r" % (data, wanted))
            sys.exit(1)
        self.number += 1
        return self.next()


def on_asyncio(words):
    import asyncio

    async def main():
        loop = asyncio.get_running_loop()
        over = loop.create_future()

        class Server(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, peer):
                self.transport.sendto(data[::-1], peer)

        class Client(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport, self.caller = transport, Caller(int(words[2]))
                self.say(self.caller.next())

            def say(self, text):
                if text is None:
                    over.set_result(None)
                else:
                    self.transport.sendto(text)

            def datagram_received(self, data, peer):
                self.say(self.caller.answered(data))

        if words[0] == "serve":
            there, _ = await loop.create_datagram_endpoint(Server, ("127.0.0.1", 0))
            say(str(there.get_extra_info("sockname")[1]))
            await loop.run_in_executor(None, sys.stdin.read)
        else:
            there = ("127.0.0.1", int(words[1]))
            await loop.create_datagram_endpoint(Client, remote_addr=there)
            await over

    asyncio.run(main())


def on_twisted(words):
    from twisted.internet import protocol, reactor, stdio

    class Server(protocol.DatagramProtocol):
        def datagramReceived(self, data, peer):
            self.transport.write(data[::-1], peer)

    class Client(protocol.ConnectedDatagramProtocol):
        def startProtocol(self):
            self.caller = Caller(int(words[2]))
            self.transport.connect("127.0.0.1", int(words[1]))
            self.say(self.caller.next())

        def say(self, text):
            if text is None:
                reactor.callWhenRunning(reactor.stop)
            else:
                self.transport.write(text)

        def datagramReceived(self, data, peer):
            self.say(self.caller.answered(data))

    class Input(protocol.Protocol):
        def connectionLost(self, reason):
            reactor.stop()

    if words[0] == "serve":
        there = reactor.listenUDP(0, Server(), interface="127.0.0.1")
        say(str(there.getHost().port))
        stdio.StandardIO(Input())
    else:
        reactor.listenUDP(0, Client(), interface="127.0.0.1")
    reactor.run()


{"asyncio": on_asyncio, "twisted": on_twisted}[sys.argv[1]](sys.argv[2:])
