//! Child processes: each scenario is a small program, and what is done when something happens. It is
//! run by Twisted, and by torsade on each driver that there is; what protocols were told must be
//! equal, or `tests/parity.txt` says why it is not.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::path::Path;
use std::process::Command as Program;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    ChildFd, Command, Disconnect, ExitStatus, ProcessEnd, ProcessProtocol, ProcessTransport, Signal,
};
use torsade_reactor::{Driver, Reactor};

use crate::play::Record;

/// One program. The words of `plans` are those of `tests/twisted/processes.py`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    program: &'static str,
    plans: &'static str,
}

macro_rules! scenarios {
    ($($name:literal: $program:literal, $plans:literal;)+) => {
        &[$(Scenario { name: $name, program: $program, plans: $plans }),+]
    };
}

pub(crate) const SCENARIOS: &[Scenario] = scenarios! {
    "cat": "exec cat", "made=write hello!;!=close in";
    "cat-lose": "exec cat", "made=write hello!;!=lose";
    "lose-in-made": "read x; while :; do echo more; done", "made=write go,lose";
    "exit-0": "exit 0", "";
    "exit-3": "echo one; echo two >&2; exit 3", "";
    "exit-255": "exit 255", "";
    "third-descriptor": "echo three! >&3; read x", "!=close in";
    "terminated": "echo up!; read x", "!=signal TERM";
    "killed": "echo up!; read x", "!=signal KILL";
    "handled": "exec 4<&0; trap 'exit 7' TERM; cat <&4 & echo up!; wait", "!=signal TERM;exited=close in";
    "crashed": "kill -SEGV $$", "";
    "ended-by-itself": "kill -USR1 $$", "";
    "signal-when-exited": "exec 4<&0; { read x <&4; } & exit 0", "exited=signal TERM,close in";
    "closes-stdout": "exec >&-; read x; exit 4", "out lost=close in";
    "closes-stderr": "exec 2>&-; read x; exit 5", "err lost=close in";
    "closes-stdin": "exec <&-; exec sleep 600", "in lost=signal TERM";
    "stdout-closed": "echo up!; read x; while :; do echo more; done", "!=close out;out lost=write go";
    "stderr-closed": "echo up!; read x; echo more >&2; exit 6", "!=close err;err lost=write go";
    "grandchild": "exec 4<&0; { read x <&4; echo late; } & exit 2", "exited=write go";
    "grandchild-of-killed": "exec 4<&0; { read x <&4; echo late; } & echo up!; wait", "!=signal KILL;exited=write go";
    "no-such-program": "/no/such/program", "";
};

/// What comes of nothing that was done comes in the order in which the system tells of it, so it
/// is put into this one: by descriptor, and the exit at the end. What is done keeps its place.
fn in_order(events: &[String]) -> Vec<String> {
    let channel = |event: &String| match event.split_once(' ').unwrap_or((event, "")).0 {
        "in" => 0,
        "out" => 1,
        "err" => 2,
        "3" => 3,
        _ => 4,
    };
    let is_fixed = |event: &String| {
        let word = event.split_once(' ').map_or(event.as_str(), |it| it.0);
        matches!(word, "made" | "do" | "refused" | "ended")
    };
    let mut ordered: Vec<String> = Vec::new();
    let mut rest = events;
    while let Some((first, after)) = rest.split_first() {
        let together = rest.iter().take_while(|event| !is_fixed(event)).count();
        if together == 0 {
            ordered.push(first.clone());
            rest = after;
            continue;
        }
        let mut run = rest[..together].to_vec();
        run.sort_by_key(channel);
        for event in run {
            // Output is cut anywhere.
            let more = ["out ", "err ", "3 "].iter().find_map(|name| {
                let is_lost = event == format!("{name}lost");
                let last = ordered.last().filter(|last| last.starts_with(name))?;
                let text = event.strip_prefix(name).filter(|_| !is_lost)?;
                Some(format!("{last} {text}"))
            });
            match (more, ordered.last_mut()) {
                (Some(joined), Some(last)) => *last = joined,
                _ => ordered.push(event),
            }
        }
        rest = &rest[together..];
    }
    ordered
}

fn record(events: &[String]) -> Record {
    let mut events = in_order(events);
    let reason = match events.last().and_then(|last| last.strip_prefix("ended ")) {
        Some(reason) => reason.to_owned(),
        None => "-".to_owned(),
    };
    if reason != "-" {
        events.pop();
        events.push("ended".to_owned());
    }
    Record {
        events: events.join("; "),
        reason,
        bytes: String::new(),
        end: String::new(),
    }
}

/// What Twisted did.
pub(crate) fn by_twisted(python: &Path) -> Result<BTreeMap<&'static str, Record>, Box<dyn Error>> {
    let mut program = Program::new(python);
    program.arg(torsade_tests::twisted::script("processes.py"));
    for Scenario {
        name,
        program: text,
        plans,
    } in SCENARIOS
    {
        program.args([name, text, plans]);
    }
    let output = program.output()?;
    let said = String::from_utf8(output.stdout)?;
    let mut records = BTreeMap::new();
    for scenario in SCENARIOS {
        let prefix = format!("{}: ", scenario.name);
        let events = said.lines().filter_map(|line| line.strip_prefix(&prefix));
        let events: Vec<String> = events.map(str::to_owned).collect();
        let last = events.last().map_or("", String::as_str);
        if last != "refused" && !last.starts_with("ended ") {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} did not end: {events:?} {why}", scenario.name).into());
        }
        records.insert(scenario.name, record(&events));
    }
    Ok(records)
}

/// The drivers that are here.
pub(crate) fn drivers() -> Vec<Driver> {
    let all = [Driver::Polling, Driver::Epoll, Driver::IoUring];
    let is_here = |driver: &Driver| Reactor::builder().driver(*driver).build().is_ok();
    all.into_iter().filter(is_here).collect()
}

/// What torsade does.
pub(crate) fn by_torsade(scenario: &Scenario, driver: Driver) -> Result<Record, Box<dyn Error>> {
    let mut reactor = Reactor::builder().driver(driver).build()?;
    let events = Rc::new(RefCell::new(Vec::new()));
    let child = Child::new(scenario.plans, &events);
    let command = match scenario.program.starts_with('/') {
        true => Command::new(scenario.program),
        false => Command::shell(scenario.program),
    };
    // As long as Twisted waits.
    let command = command.descriptor(3, ChildFd::Read);
    let command = command.after_exit_timeout(Duration::MAX);
    match reactor.net().spawn_process(&command, child) {
        Ok(transport) => {
            let ended = transport.ended();
            let ended = reactor.net().timeout(PATIENCE, ended);
            let ended = reactor.run_until(ended)?;
            ended.map_err(|failure| format!("{}: {failure:?}", scenario.name))?;
        }
        Err(_) => events.borrow_mut().push("refused".to_owned()),
    }
    let events = events.take();
    Ok(record(&events))
}

/// What does not end within this time never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Notes what it is told, and does what is planned then.
struct Child {
    plans: VecDeque<(&'static str, &'static str)>,
    events: Rc<RefCell<Vec<String>>>,
}

impl Child {
    fn new(plans: &'static str, events: &Rc<RefCell<Vec<String>>>) -> Self {
        let plans = plans.split(';').filter_map(|plan| plan.split_once('='));
        Self {
            plans: plans.collect(),
            events: Rc::clone(events),
        }
    }

    fn say(&self, event: String) {
        self.events.borrow_mut().push(event);
    }

    fn happened(&mut self, transport: &ProcessTransport<Self>, event: String, plan: &str) {
        self.say(event);
        let place = self.plans.iter().position(|(event, _)| *event == plan);
        let Some((_, ops)) = place.and_then(|place| self.plans.remove(place)) else {
            return;
        };
        for op in ops.split(',') {
            self.say(format!("do {op}"));
            match op.split_once(' ').unwrap_or((op, "")) {
                ("write", text) => transport.write(format!("{text}\n")),
                ("close", "in") => transport.close_stdin(),
                ("close", "out") => transport.close_stdout(),
                ("close", "err") => transport.close_stderr(),
                ("lose", _) => transport.close(),
                ("signal", name) => {
                    let signal: Option<Signal> = name.parse().ok();
                    if signal.is_none_or(|it| transport.signal_process(it).is_err()) {
                        self.say("refused".to_owned());
                    }
                }
                _ => self.say(format!("there is no {op:?}")),
            }
        }
    }
}

fn named(fd: u32) -> String {
    match fd {
        0 => "in".to_owned(),
        1 => "out".to_owned(),
        2 => "err".to_owned(),
        other => other.to_string(),
    }
}

/// In Twisted's words.
fn reason(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "done".to_owned(),
        (Some(code), _) => format!("code {code}"),
        (_, Some(signal)) => signal.to_string(),
        (None, None) => status.to_string(),
    }
}

impl ProcessProtocol for Child {
    fn connection_made(&mut self, transport: &ProcessTransport<Self>) {
        self.happened(transport, "made".to_owned(), "made");
    }

    fn child_data_received(&mut self, transport: &ProcessTransport<Self>, fd: u32, data: &[u8]) {
        let text = String::from_utf8_lossy(data).replace('\n', " ");
        let text = text.trim();
        let plan = if text.ends_with('!') { "!" } else { "" };
        self.happened(transport, format!("{} {text}", named(fd)), plan);
    }

    fn child_connection_lost(
        &mut self,
        transport: &ProcessTransport<Self>,
        fd: u32,
        _: &Disconnect,
    ) {
        let event = format!("{} lost", named(fd));
        self.happened(transport, event.clone(), &event);
    }

    fn process_exited(&mut self, transport: &ProcessTransport<Self>, status: ExitStatus) {
        let event = format!("exited {}", reason(status));
        self.happened(transport, event, "exited");
    }

    fn process_ended(&mut self, transport: &ProcessTransport<Self>, end: ProcessEnd) {
        let how = end.status().map_or_else(|| end.to_string(), reason);
        self.happened(transport, format!("ended {how}"), "");
    }
}
