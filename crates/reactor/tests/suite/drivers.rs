use std::env;
use std::process::Command;
use std::sync::Mutex;

use log::{Level, LevelFilter, Log, Metadata, Record};
use torsade_reactor::{Driver, DriverUnavailable, Reactor};

#[test]
fn a_driver_that_is_named_is_the_one() {
    let reactor = Reactor::builder().driver(Driver::Polling).build().unwrap();
    assert_eq!(reactor.driver(), Driver::Polling);
}

#[cfg(target_os = "linux")]
#[test]
fn epoll_can_be_named_on_linux() {
    let reactor = Reactor::builder().driver(Driver::Epoll).build().unwrap();
    assert_eq!(reactor.driver(), Driver::Epoll);
}

#[cfg(not(target_os = "linux"))]
#[test]
fn a_driver_that_the_system_has_not_is_an_error_that_says_so() {
    let error = Reactor::builder().driver(Driver::Epoll).build();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    let unavailable: &DriverUnavailable = error.get_ref().unwrap().downcast_ref().unwrap();
    assert_eq!(unavailable.driver(), Driver::Epoll);
}

/// One that is there but refused, because the process is out of descriptors.
#[cfg(target_os = "linux")]
#[test]
fn a_driver_that_the_system_refuses_is_an_error_that_says_which_and_why() {
    play("refused", None);
}

#[test]
fn the_environment_names_the_driver() {
    play("polling", Some("polling"));
    #[cfg(target_os = "linux")]
    {
        play("epoll", Some("epoll"));
        play("epoll", Some("auto"));
        play("epoll", Some(""));
        play("epoll", None);
    }
}

#[test]
fn a_name_that_is_no_drivers_is_said_once_and_leaves_the_choice() {
    let automatic = if cfg!(target_os = "linux") {
        "warned epoll"
    } else {
        "warned polling"
    };
    play(automatic, Some("kqueue!"));
}

#[test]
fn names_are_read_as_they_are_written() {
    for driver in [Driver::Polling, Driver::Epoll, Driver::IoUring] {
        assert_eq!(driver.to_string().parse(), Ok(driver));
    }
    assert!("Epoll".parse::<Driver>().is_err());
}

/// The variable that says what the process that `play` starts is to find.
const EXPECTED: &str = "TORSADE_EXPECTED";

/// A variable is the whole process's, so it is tried in another one.
#[track_caller]
fn play(expected: &str, variable: Option<&str>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "drivers::in_another_process"]);
    command.env(EXPECTED, expected).env_remove("TORSADE_DRIVER");
    if let Some(value) = variable {
        command.env("TORSADE_DRIVER", value);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{variable:?}: {said}");
}

/// Not a test by itself.
#[test]
fn in_another_process() {
    let Ok(expected) = env::var(EXPECTED) else {
        return;
    };
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Info);
    if expected == "refused" {
        return find_it_refused();
    }
    let (warnings, name) = match expected.strip_prefix("warned ") {
        Some(name) => (1, name),
        None => (0, expected.as_str()),
    };
    let reactor = Reactor::new().unwrap();
    assert_eq!(reactor.driver().to_string(), name);
    let lines = LINES.0.lock().unwrap();
    let (warned, told): (Vec<_>, Vec<_>) = lines.iter().partition(|it| it.0 == Level::Warn);
    assert_eq!(warned.len(), warnings, "{warned:?}");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.ends_with(name), "{told:?}");
}

fn find_it_refused() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(0);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let error = Reactor::builder()
        .driver(Driver::Epoll)
        .build()
        .unwrap_err();
    let unavailable: &DriverUnavailable = error.get_ref().unwrap().downcast_ref().unwrap();
    assert_eq!(unavailable.driver(), Driver::Epoll);
    let text = error.to_string();
    assert!(text.starts_with("epoll cannot be had: "), "{text}");
    // Nor can any other be had, and that is the system's own error.
    let error = Reactor::new().unwrap_err();
    assert_eq!(
        error.raw_os_error(),
        Some(rustix::io::Errno::MFILE.raw_os_error())
    );
}

struct Lines(Mutex<Vec<(Level, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.args().to_string());
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}
