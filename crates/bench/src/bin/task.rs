//! Does one of the tasks: `task NAME TIMES`. Says `done` and waits until its
//! standard input ends, so that what it has used can be read.
#![forbid(unsafe_code)]

use std::io::{self, Read};

#[expect(clippy::print_stdout, reason = "the line is the program's interface")]
fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let times = words.next().unwrap_or_default();
    let task = torsade_bench::tasks::by_name(&name)
        .ok_or_else(|| io::Error::other(format!("there is no task {name:?}")))?;
    let times = times.parse().map_err(io::Error::other)?;
    if task(times)? != times {
        return Err(io::Error::other("it was not done as often as it was told"));
    }
    println!("done");
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}
