//! Interop with Twisted: conversations in every framing, with Twisted at the other end in both
//! roles, whole, byte by byte, and cut at random. Each ends by a half-close, which is answered.
//!
//! What is cut is what the receivers read at once, on both sides, so that a conversation is cut
//! however the kernel delivers it. The seed is printed: `cargo test -p torsade-tests --test interop
//! -- 17` cuts as seed 17 does.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod conversation;
#[cfg(unix)]
mod talk;

#[cfg(unix)]
use std::error::Error;
#[cfg(unix)]
use std::process::ExitCode;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    use std::io::{self, Write};
    use std::path::Path;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    use torsade_tests::twisted;

    use crate::conversation::{Cuts, FRAMINGS, Role, Twisted};

    let begin = Instant::now();
    let mut out = io::stdout();
    let python = match twisted::python(Path::new(env!("CARGO_TARGET_TMPDIR"))) {
        Ok(python) => python,
        Err(missing) if twisted::is_ci() => return Err(missing.into()),
        Err(missing) => {
            writeln!(out, "SKIPPED: interop with Twisted: {missing}")?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let asked = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |now| now.as_secs())
    };
    let seed: u64 = asked.unwrap_or_else(now);
    writeln!(out, "interop with Twisted: seed {seed}")?;
    let mut twisted = Twisted::start(&python)?;
    let (mut held, mut failed) = (0, 0);
    for framing in FRAMINGS {
        for cuts in Cuts::all(seed) {
            for role in [Role::Client, Role::Server] {
                match conversation::hold(&mut twisted, framing, cuts, role) {
                    Ok(()) => held += 1,
                    Err(why) => {
                        failed += 1;
                        // It may have more to say of this one.
                        twisted = Twisted::start(&python)?;
                        writeln!(out, "{framing}, {cuts:?}, torsade as {role:?}: {why}")?;
                    }
                }
            }
        }
    }
    writeln!(
        out,
        "interop with Twisted: {held} conversations held, {failed} failed, in {:.1?}",
        begin.elapsed()
    )?;
    Ok(ExitCode::from(u8::from(failed > 0)))
}
