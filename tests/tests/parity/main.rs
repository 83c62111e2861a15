//! Parity with Twisted: every scenario of [`scenario`] is played once with a Twisted process as its
//! subject and once with torsade, on real sockets, against the same plain peer. Callbacks and their
//! order, reasons, bytes and ends must be equal, or `tests/parity.txt` says why they are not. The
//! simulated network has to give what torsade gave on real sockets.
//!
//! ```text
//! scenario --> play --> World: process (a subject in a process, and a raw peer), or simulated
//!                |
//!             Record of Twisted, of torsade --> differences --> arguments --> matrix
//! ```
//!
//! [`children`] does the same for child processes.
//!
//! Nothing waits for time to pass: a subject answers an order when its reactor has gone round, and
//! a peer waits for what is known to be on its way.
//!
//! Arguments are parts of cells' names: `cargo test -p torsade-tests --test parity -- abort/idle`
//! plays those and prints both records.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod actor;
#[cfg(unix)]
mod arguments;
#[cfg(unix)]
mod children;
#[cfg(unix)]
mod matrix;
#[cfg(unix)]
mod peer;
#[cfg(unix)]
mod play;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod scenario;
#[cfg(unix)]
mod simulated;
#[cfg(unix)]
mod subject;

#[cfg(unix)]
use std::error::Error;
#[cfg(unix)]
use std::io::{self, Write};
#[cfg(unix)]
use std::process::ExitCode;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    use std::path::Path;

    use torsade_tests::twisted;

    if std::env::args().nth(1).as_deref() == Some(SUBJECT) {
        subject::main()?;
        return Ok(ExitCode::SUCCESS);
    }
    be_quiet_about_planted_panics();
    match twisted::python(Path::new(env!("CARGO_TARGET_TMPDIR"))) {
        Ok(python) => Comparison::new(python)?.run(),
        Err(missing) if twisted::is_ci() => Err(missing.into()),
        Err(missing) => {
            writeln!(io::stdout(), "SKIPPED: parity with Twisted: {missing}")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Makes this program the subject.
#[cfg(unix)]
const SUBJECT: &str = "--as-subject";

/// The simulated network's chance: how long segments take.
#[cfg(unix)]
const SEED: u64 = 1;

#[cfg(unix)]
fn be_quiet_about_planted_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let words = info.payload().downcast_ref::<String>();
        if words.is_none_or(|words| words != actor::PLANTED) {
            usual(info);
        }
    }));
}

#[cfg(unix)]
struct Comparison {
    python: std::path::PathBuf,
    twisted: process::Processes,
    torsade: process::Processes,
    matrix: matrix::Matrix,
    /// Cells that are otherwise in the simulated network than on sockets, and cells that are not.
    unlike: usize,
    alike: usize,
    /// Parts of names; none for all.
    asked: Vec<String>,
}

#[cfg(unix)]
impl Comparison {
    fn new(python: std::path::PathBuf) -> Result<Self, Box<dyn Error>> {
        use std::process::Command;

        let script = torsade_tests::twisted::script("subject.py");
        let own = std::env::current_exe()?;
        let interpreter = python.clone();
        let twisted = move || {
            let mut command = Command::new(&interpreter);
            command.arg(&script);
            command
        };
        let torsade = move || {
            let mut command = Command::new(&own);
            command.arg(SUBJECT);
            command
        };
        let words = std::env::args().skip(1);
        Ok(Self {
            python,
            twisted: process::Processes::new(Box::new(twisted))?,
            torsade: process::Processes::new(Box::new(torsade))?,
            matrix: matrix::Matrix::new(arguments::Arguments::read()?),
            unlike: 0,
            alike: 0,
            asked: words.filter(|word| !word.starts_with('-')).collect(),
        })
    }

    fn run(mut self) -> Result<ExitCode, Box<dyn Error>> {
        let begin = std::time::Instant::now();
        let mut out = io::stdout();
        for cell in scenario::cells() {
            if self.is_asked(&cell.name()) {
                self.play(&cell, &mut out)?;
            }
        }
        self.play_children(&mut out)?;
        let Self { matrix, .. } = &self;
        write!(out, "{matrix}")?;
        let stale = match &self.asked[..] {
            [] => matrix.stale(),
            _ => Vec::new(),
        };
        for stale in &stale {
            writeln!(
                out,
                "tests/parity.txt argues where nothing differs: {stale}"
            )?;
        }
        writeln!(
            out,
            "the simulated network: {} cells as on real sockets, {} otherwise\n\
             in {:.1?}, with {} processes of Twisted and {} of torsade",
            self.alike,
            self.unlike,
            begin.elapsed(),
            self.twisted.started,
            self.torsade.started
        )?;
        let failed = matrix.unexplained() > 0 || self.unlike > 0 || !stale.is_empty();
        Ok(ExitCode::from(u8::from(failed)))
    }

    /// With everyone.
    fn play(&mut self, cell: &scenario::Cell, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
        let name = cell.name();
        let said = |who: &'static str| {
            let name = &name;
            move |error: String| format!("{name}, with {who}: {error}")
        };
        let twisted = play::play(cell, &mut self.twisted).map_err(said("Twisted"))?;
        let torsade = play::play(cell, &mut self.torsade).map_err(said("torsade"))?;
        let mut network = simulated::Simulated::new(SEED);
        let simulated = play::play(cell, &mut network).map_err(said("the simulated network"))?;
        if simulated == torsade {
            self.alike += 1;
        } else {
            self.unlike += 1;
            writeln!(out, "{name}: real {torsade:#?}\nsimulated {simulated:#?}")?;
        }
        if !self.asked.is_empty() {
            writeln!(out, "{name}: Twisted {twisted:#?}\ntorsade {torsade:#?}")?;
        }
        let column = format!("{} {}", cell.role, cell.state);
        self.matrix
            .add((cell.ending, column), &name, &twisted, &torsade);
        Ok(())
    }

    /// Programs that Twisted runs, and we on each driver.
    fn play_children(&mut self, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
        let mut cells = Vec::new();
        for driver in children::drivers() {
            for scenario in children::SCENARIOS {
                let name = format!("{}/child/{driver}", scenario.name);
                if self.is_asked(&name) {
                    cells.push((scenario, driver, name));
                }
            }
        }
        if cells.is_empty() {
            return Ok(());
        }
        let by_twisted = children::by_twisted(&self.python)?;
        for (scenario, driver, name) in cells {
            let twisted = &by_twisted[scenario.name];
            let torsade = children::by_torsade(scenario, driver)?;
            if !self.asked.is_empty() {
                writeln!(out, "{name}: Twisted {twisted:#?}\ntorsade {torsade:#?}")?;
            }
            let place = (scenario.name, format!("child {driver}"));
            self.matrix.add(place, &name, twisted, &torsade);
        }
        Ok(())
    }

    fn is_asked(&self, name: &str) -> bool {
        self.asked.is_empty() || self.asked.iter().any(|part| name.contains(part))
    }
}
