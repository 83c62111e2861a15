"""Servers and tasks on asyncio, or on uvloop under it.

    python asyncio_peer.py asyncio|uvloop echo|lines|close|fanout
    python asyncio_peer.py asyncio|uvloop deferreds|timers-set|... TIMES
"""

import asyncio
import sys
import time

LIVE = 10_000
BATCH = 100
SOON = 0.5


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class Close(Echo):
    def data_received(self, data):
        self.transport.write(data)
        self.transport.close()


class Lines(asyncio.Protocol):
    """asyncio's protocols come without a framing: this is the usual one."""

    def connection_made(self, transport):
        self.transport = transport
        self.unfinished = b""

    def data_received(self, data):
        *lines, self.unfinished = (self.unfinished + data).split(b"\r\n")
        for line in lines:
            self.line_received(line)

    def line_received(self, line):
        self.transport.write(line + b"\r\n")


class Member(Lines):
    room = set()

    def connection_made(self, transport):
        super().connection_made(transport)
        self.room.add(transport)

    def line_received(self, line):
        line += b"\r\n"
        for member in self.room:
            member.write(line)

    def connection_lost(self, reason):
        self.room.discard(self.transport)


SERVERS = {"echo": Echo, "lines": Lines, "close": Close, "fanout": Member}


async def serve(subject):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(SERVERS[subject], "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"listening on {host}:{port}", flush=True)
    await server.serve_forever()


async def deferreds(times):
    """A future and two coroutines that wait for it and for each other."""

    async def add(future):
        return await future + 1

    async def double(later):
        return await later * 2

    loop = asyncio.get_running_loop()
    right = 0
    for number in range(times):
        future = loop.create_future()
        later = double(add(future))
        future.set_result(number)
        right += await later == (number + 1) * 2
    return right


def far(number):
    return 3600 * (1 + number * 7919 % 10_007)


class Timers:
    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.timers = []
        self.fired = 0

    def ring(self):
        self.fired += 1

    async def set(self, times, after=far):
        for number in range(times):
            self.timers.append(self.loop.call_later(after(number), self.ring))
            if number % BATCH == BATCH - 1:
                await asyncio.sleep(0)


async def timers_set(times):
    timers = Timers()
    await timers.set(LIVE)
    await timers.set(times)
    return len(timers.timers) - LIVE


async def timers_reset(times):
    """There is no reset: cancelled and set again."""
    timers = Timers()
    await timers.set(LIVE)
    for number in range(times):
        timers.timers[number % LIVE].cancel()
        timer = timers.loop.call_later(far(number), timers.ring)
        timers.timers[number % LIVE] = timer
        if number % BATCH == BATCH - 1:
            await asyncio.sleep(0)
    return times


async def timers_cancel(times):
    """Sets timers and cancels them a turn later."""
    timers = Timers()
    await timers.set(LIVE)
    for first in range(0, times, BATCH):
        await timers.set(min(BATCH, times - first))
        for timer in timers.timers[LIVE:]:
            timer.cancel()
        del timers.timers[LIVE:]
        await asyncio.sleep(0)
    return times


async def timers_fire(times):
    """Sets timers and runs them."""
    timers = Timers()
    await timers.set(LIVE)
    await timers.set(times, lambda _: SOON)
    time.sleep(1.25 * SOON)
    while timers.fired < times:
        await asyncio.sleep(0)
    return timers.fired


TASKS = {
    "deferreds": deferreds,
    "timers-set": timers_set,
    "timers-reset": timers_reset,
    "timers-cancel": timers_cancel,
    "timers-fire": timers_fire,
}


async def work(subject, times):
    assert await TASKS[subject](times) == times
    print("done", flush=True)
    sys.stdin.read()


def main(loop, subject, times=None):
    job = work(subject, int(times)) if times else serve(subject)
    if loop == "uvloop":
        import uvloop

        uvloop.run(job)
    else:
        asyncio.run(job)


main(*sys.argv[1:])
