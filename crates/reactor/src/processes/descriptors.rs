use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, pipe};
use std::os::fd::{AsFd, OwnedFd};

use torsade_core::{Address, Adopted, ChildFd, Command, TerminalSize};

use super::terminal::{self, Name};

/// The ends of a child's descriptors: ours to connect to, and theirs to be in the child.
pub(super) struct Wiring {
    pub(super) ours: (Vec<(u32, Address)>, Option<Name>),
    pub(super) theirs: BTreeMap<u32, Source>,
}

/// What a descriptor in the child comes from.
pub(super) enum Source {
    /// The same number here.
    Inherit,
    Own(OwnedFd),
}

/// Make what a command asks for.
pub(super) fn wire(command: &Command) -> io::Result<Wiring> {
    let mut wiring = Wiring {
        ours: (Vec::new(), None),
        theirs: BTreeMap::new(),
    };
    if let Some(size) = command.terminal_size() {
        wiring.add_terminal(command, size)?;
    }
    if command.is_stream() {
        wiring.add_stream(command)?;
    }
    let mut alike = Vec::new();
    for (number, is) in command.descriptors() {
        if let ChildFd::Like(other) = is {
            alike.push((number, *other));
        } else if !wiring.theirs.contains_key(&number) {
            wiring.add(command, number, is)?;
        }
    }
    for (number, other) in alike {
        wiring.add_alike(number, other)?;
    }
    Ok(wiring)
}

impl Wiring {
    /// The standard streams are one terminal.
    fn add_terminal(&mut self, command: &Command, size: TerminalSize) -> io::Result<()> {
        let terminal = terminal::open(size)?;
        for number in 0..3 {
            let theirs = Source::Own(terminal.theirs.try_clone()?);
            self.theirs.insert(number, theirs);
        }
        let ways = [Some(terminal.ours.try_clone()?), Some(terminal.ours)];
        self.ours.0.push((1, adopt(command, "the terminal", ways)));
        self.ours.1 = Some(terminal.name);
        Ok(())
    }

    /// Two pipes are one connection.
    fn add_stream(&mut self, command: &Command) -> io::Result<()> {
        let (input, out) = pipe()?;
        let (reader, writer) = pipe()?;
        let ways = [Some(reader.into()), Some(out.into())];
        let ours = adopt(command, "the standard streams", ways);
        self.ours.0.push((1, ours));
        self.theirs.insert(0, Source::Own(input.into()));
        self.theirs.insert(1, Source::Own(writer.into()));
        Ok(())
    }

    fn add(&mut self, command: &Command, number: u32, is: &ChildFd) -> io::Result<()> {
        let what = || match number {
            0 => "the standard input".to_owned(),
            1 => "the standard output".to_owned(),
            2 => "the standard error".to_owned(),
            _ => format!("descriptor {number}"),
        };
        let source = match is {
            ChildFd::Read => {
                let (reader, writer) = pipe()?;
                let ours = adopt(command, &what(), [Some(reader.into()), None]);
                self.ours.0.push((number, ours));
                Source::Own(writer.into())
            }
            ChildFd::Write => {
                let (reader, writer) = pipe()?;
                let ours = adopt(command, &what(), [None, Some(writer.into())]);
                self.ours.0.push((number, ours));
                Source::Own(reader.into())
            }
            ChildFd::Inherit if number < 3 => Source::Inherit,
            ChildFd::Given(descriptor) => Source::Own(descriptor.try_clone()?),
            ChildFd::Null => Source::Own(null()?.into()),
            _ => return Err(refused("only descriptors 0, 1 and 2 are inherited")),
        };
        self.theirs.insert(number, source);
        Ok(())
    }

    fn add_alike(&mut self, number: u32, other: u32) -> io::Result<()> {
        let source = match self.theirs.get(&other) {
            Some(Source::Own(descriptor)) => descriptor.try_clone()?,
            Some(Source::Inherit) => inherited(other)?,
            None => return Err(refused("a descriptor is like one that is not there")),
        };
        self.theirs.insert(number, Source::Own(source));
        Ok(())
    }
}

/// Our ends, under a name that says whose they are.
fn adopt(command: &Command, what: &str, [input, output]: [Option<OwnedFd>; 2]) -> Address {
    let name = format!("{what} of {}", command.program().display());
    Adopted::pipes(input, output).named(name).into()
}

fn inherited(number: u32) -> io::Result<OwnedFd> {
    match number {
        0 => io::stdin().as_fd().try_clone_to_owned(),
        1 => io::stdout().as_fd().try_clone_to_owned(),
        _ => io::stderr().as_fd().try_clone_to_owned(),
    }
}

fn null() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/null")
}

fn refused(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}
