//! Parity with Twisted: every scenario of [`scenario`] is played once with a Twisted process as its
//! subject and once with torsade, on real sockets, against the same plain peer. Callbacks and their
//! order, reasons, bytes and ends must be equal, or `tests/parity.txt` says why they are not.
//!
//! Arguments are parts of cells' names: `cargo test -p torsade-tests --test parity -- abort/idle`
//! plays those and prints both records.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod actor;
#[cfg(unix)]
mod arguments;
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
mod subject;

use std::error::Error;
use std::process::ExitCode;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some(SUBJECT) {
        subject::main()?;
        return Ok(ExitCode::SUCCESS);
    }
    compare()
}

/// Makes this program the subject.
const SUBJECT: &str = "--as-subject";

#[cfg(unix)]
fn compare() -> Result<ExitCode, Box<dyn Error>> {
    use std::io::{self, Write};
    use std::path::Path;
    use std::process::Command;

    use torsade_tests::twisted;

    let begin = std::time::Instant::now();
    let mut out = io::stdout();
    let python = match twisted::python(Path::new(env!("CARGO_TARGET_TMPDIR"))) {
        Ok(python) => python,
        Err(missing) if twisted::is_ci() => return Err(missing.into()),
        Err(missing) => {
            writeln!(out, "SKIPPED: parity with Twisted: {missing}")?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let script = twisted::script("subject.py");
    let theirs = process::Program(Box::new(move || {
        let mut command = Command::new(&python);
        command.arg(&script);
        command
    }));
    let own = std::env::current_exe()?;
    let ours = process::Program(Box::new(move || {
        let mut command = Command::new(&own);
        command.arg(SUBJECT);
        command
    }));
    let mut theirs = process::Processes::new(theirs)?;
    let mut ours = process::Processes::new(ours)?;
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let mut matrix = matrix::Matrix::new(arguments::Arguments::read()?);
    for cell in scenario::cells() {
        let name = cell.name();
        if asked.is_empty() || asked.iter().any(|part| name.contains(part.as_str())) {
            let twisted = play::play(&cell, &mut theirs)
                .map_err(|error| format!("{name} with Twisted: {error}"))?;
            let torsade = play::play(&cell, &mut ours)
                .map_err(|error| format!("{name} with torsade: {error}"))?;
            if !asked.is_empty() {
                writeln!(
                    out,
                    "{name}\n  Twisted {twisted:#?}\n  torsade {torsade:#?}"
                )?;
            }
            matrix.add(&cell, &twisted, &torsade);
        }
    }
    write!(out, "{matrix}")?;
    let mut failed = matrix.unexplained() > 0;
    if asked.is_empty() {
        for stale in matrix.stale() {
            writeln!(
                out,
                "tests/parity.txt argues where nothing differs: {stale}"
            )?;
            failed = true;
        }
    }
    writeln!(
        out,
        "in {:.1?}, with {} processes of Twisted and {} of torsade",
        begin.elapsed(),
        theirs.started,
        ours.started
    )?;
    Ok(ExitCode::from(u8::from(failed)))
}
