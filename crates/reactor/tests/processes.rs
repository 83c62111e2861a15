//! Children and what they leave behind. Both are counted for the whole process, so these tests have
//! one for themselves.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

#[path = "traced/strace.rs"]
mod strace;

use std::env;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use torsade_core::{Command, ExitStatus, ProcessEnd, ProcessProtocol, Signal, SignalError};
use torsade_reactor::{Driver, Reactor};

struct Quiet;

impl ProcessProtocol for Quiet {}

fn one_at_a_time() -> MutexGuard<'static, ()> {
    static CHILDREN: Mutex<()> = Mutex::new(());
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn on_each_driver(test: impl Fn(&mut Reactor)) {
    let drivers = [
        Driver::Polling,
        Driver::Epoll,
        #[cfg(feature = "io-uring")]
        Driver::IoUring,
    ];
    for driver in drivers {
        test(&mut Reactor::builder().driver(driver).build().unwrap());
    }
}

/// How many descriptors this process has.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The children that this process has, dead or alive.
fn children() -> Vec<u32> {
    let mut all = Vec::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path().join("children");
        let children = fs::read_to_string(path).unwrap_or_default();
        all.extend(
            children
                .split_whitespace()
                .map(|it| it.parse::<u32>().unwrap()),
        );
    }
    all
}

/// The bound is on patience, not on speed.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(30);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if is_so() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("it does not come");
}

fn spawn(reactor: &Reactor, command: &Command) -> torsade_core::Process {
    let transport = reactor.net().spawn_process(command, Quiet).unwrap();
    transport.process()
}

fn end(reactor: &mut Reactor, process: &torsade_core::Process) -> ProcessEnd {
    reactor.run_until(process.ended()).unwrap().unwrap()
}

/// `TORSADE_SPAWNS=10000` says how many, and has the time told.
#[test]
fn many_processes_leave_no_zombie_and_no_descriptor() {
    let _lock = one_at_a_time();
    let asked = env::var("TORSADE_SPAWNS").ok();
    let many = asked.as_ref().map_or(200, |it| it.parse().unwrap());
    on_each_driver(|reactor| {
        let process = spawn(reactor, &Command::new("true"));
        end(reactor, &process);
        let before = descriptors();
        let begun = Instant::now();
        spawn_in_waves(reactor, many);
        if asked.is_some() {
            let took = begun.elapsed();
            println!("{}: {many} in {took:?}", reactor.driver());
        }
        assert_eq!(descriptors(), before);
        assert_eq!(children(), []);
    });
}

fn spawn_in_waves(reactor: &mut Reactor, many: usize) {
    /// What 1024 descriptors are enough for, at five for each process.
    const WAVE: usize = 100;
    for wave in 0..many.div_ceil(WAVE) {
        let those = WAVE.min(many - wave * WAVE);
        let started: Vec<_> = (0..those)
            .map(|_| spawn(reactor, &Command::new("/bin/true")))
            .collect();
        for process in started {
            assert!(end(reactor, &process).is_success());
        }
    }
}

#[test]
fn programs_that_cannot_be_run_leave_nothing_either() {
    let _lock = one_at_a_time();
    on_each_driver(|reactor| {
        let before = descriptors();
        for _ in 0..20 {
            let refused = reactor
                .net()
                .spawn_process(&Command::new("/nowhere"), Quiet);
            assert!(refused.is_err());
        }
        assert_eq!((descriptors(), children()), (before, vec![]));
    });
}

#[test]
fn a_stop_ends_those_that_are_to_be_killed_and_leaves_the_others() {
    let _lock = one_at_a_time();
    on_each_driver(|reactor| {
        let sleep = Command::new("sleep").arg("1000");
        let polite = spawn(reactor, &sleep.clone().kill_on_stop(true));
        let left = spawn(reactor, &sleep);
        let ended = left.ended();
        reactor.net().call_later(Duration::ZERO, move |net| {
            left.let_go();
            net.stop();
        });
        let told = polite.ended();
        reactor.run().unwrap();
        let status = ExitStatus::Signal {
            signal: Signal::Term,
            core_dumped: false,
        };
        assert_eq!(
            told.try_take().unwrap().unwrap(),
            ProcessEnd::Exited(status)
        );
        assert_eq!(ended.try_take().unwrap().unwrap(), ProcessEnd::LetGo);
        let running = children();
        assert_eq!(running.len(), 1);
        kill(running[0]);
        wait_until(|| children().is_empty());
    });
}

fn kill(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

/// A kernel without descriptors for processes: a thread waits for each of them.
#[test]
fn an_older_kernel_does_as_well() {
    let _lock = one_at_a_time();
    let options = [
        "--trace=pidfd_open".to_owned(),
        "--inject=pidfd_open:error=ENOSYS".to_owned(),
    ];
    for driver in ["polling", "epoll"] {
        let Some(scene) = strace::start("old", driver, &options, ("TORSADE_NONE", "")) else {
            return;
        };
        let report = scene.finish();
        assert!(report.contains("ENOSYS"), "{report}");
    }
}

/// Not a test, but what the test above runs under strace.
#[test]
fn scene() {
    if env::var_os(strace::SCENE).is_none() {
        return;
    }
    let mut reactor = Reactor::new().unwrap();
    let failed = spawn(&reactor, &Command::shell("exit 7"));
    let code = ProcessEnd::Exited(ExitStatus::Code(7));
    assert_eq!(end(&mut reactor, &failed), code);

    let endless = spawn(&reactor, &Command::new("sleep").arg("1000"));
    endless.signal_process(Signal::Usr1).unwrap();
    let status = ExitStatus::Signal {
        signal: Signal::Usr1,
        core_dumped: false,
    };
    assert_eq!(end(&mut reactor, &endless), ProcessEnd::Exited(status));
    assert!(matches!(endless.kill(), Err(SignalError::Exited)));

    // One that ends after it was let go, and one of which only the drop hears.
    let short = spawn(&reactor, &Command::shell("read end"));
    short.let_go();
    let left = spawn(&reactor, &Command::shell("read end").kill_on_stop(true));
    assert_eq!(end(&mut reactor, &short), ProcessEnd::LetGo);
    let told = left.ended();
    drop(reactor);
    assert_eq!(told.try_take().unwrap().unwrap(), ProcessEnd::LetGo);
    wait_until(|| children().is_empty());
}
