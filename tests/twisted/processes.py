"""Child processes on Twisted, for the parity of process protocols.

`processes.py` is followed by three arguments for each scenario: its name, what `sh -c` is given
(or the path of a program, if that is what it begins with), and plans `EVENT=OP,OP;EVENT=..`. It
prints what happens in each, one after the other:

    NAME: EVENT

An event is `made`, `out TEXT`, `err TEXT`, `3 TEXT`, `in lost`, `out lost`, .. , `exited REASON`,
`ended REASON`, and `do OP` for each operation, which is followed by `refused` if it was. A plan is
carried out when its event happens: text that ends with a `!` is the event `!`.
"""

import signal
import sys

from twisted.internet import error, protocol, reactor

NAMES = {0: "in", 1: "out", 2: "err"}
# What does not end within this time never will.
PATIENCE = 60


def reason(failure):
    how = failure.value
    if failure.check(error.ProcessDone):
        return "done"
    if how.signal is not None:
        return signal.Signals(how.signal).name
    return "code %d" % how.exitCode


class Child(protocol.ProcessProtocol):
    def __init__(self, name, plans, after):
        plans = [plan.partition("=") for plan in plans.split(";") if plan]
        self.plans = {event: ops.split(",") for event, _, ops in plans}
        self.name, self.after = name, after

    def say(self, event):
        print("%s: %s" % (self.name, event), flush=True)

    def happened(self, event, plan=None):
        self.say(event)
        for op in self.plans.pop(plan or event, []):
            self.say("do " + op)
            verb, _, rest = op.partition(" ")
            try:
                getattr(self, "do_" + verb)(*([rest] if rest else []))
            except error.ProcessExitedAlready:
                self.say("refused")

    def do_write(self, text):
        self.transport.write(text.encode() + b"\n")

    def do_close(self, which):
        self.transport.closeChildFD({"in": 0, "out": 1, "err": 2}[which])

    def do_lose(self):
        self.transport.loseConnection()

    def do_signal(self, name):
        self.transport.signalProcess(name)

    def connectionMade(self):
        self.happened("made")

    def childDataReceived(self, fd, data):
        text = data.decode("ascii", "replace").replace("\n", " ").strip()
        self.happened("%s %s" % (NAMES.get(fd, fd), text), "!" if text.endswith("!") else None)

    def childConnectionLost(self, fd):
        self.happened("%s lost" % NAMES.get(fd, fd))

    def processExited(self, failure):
        self.happened("exited " + reason(failure), "exited")

    def processEnded(self, failure):
        self.happened("ended " + reason(failure))
        self.after()


def play(scenarios):
    if not scenarios:
        reactor.stop()
        return
    name, program, plans = scenarios[:3]
    child = Child(name, plans, lambda: reactor.callLater(0, play, scenarios[3:]))
    fds = {0: "w", 1: "r", 2: "r", 3: "r"}
    words = [program] if program.startswith("/") else ["sh", "-c", program]
    try:
        reactor.spawnProcess(child, words[0], words, env=None, childFDs=fds)
    except OSError:
        child.say("refused")
        child.after()


def hung():
    print("hung: it does not end", flush=True)
    reactor.stop()


reactor.callWhenRunning(play, sys.argv[1:])
reactor.callLater(PATIENCE, hung)
reactor.run()
