//! `tests/parity.txt`: where we differ from Twisted, how exactly, and why.

use std::path::Path;

use crate::play::{Aspect, Record};

/// What Twisted calls a reason, and what we may call it.
const REASONS: &[(&str, &[&str])] = &[
    ("ConnectionDone", &["Closed", "PeerClosed"]),
    ("ConnectionLost", &["Reset", "Io"]),
    ("ConnectionAborted", &["Aborted"]),
    ("Planted", &["Panicked"]),
];

/// How two records differ in one aspect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    pub(crate) aspect: Aspect,
    pub(crate) twisted: String,
    pub(crate) torsade: String,
}

/// All the ways in which these differ.
pub(crate) fn differences(twisted: &Record, torsade: &Record) -> Vec<Difference> {
    let pairs = Aspect::ALL.map(|aspect| (aspect, aspect.of(twisted), aspect.of(torsade)));
    pairs
        .into_iter()
        .filter(|(aspect, twisted, torsade)| !is_equal(*aspect, twisted, torsade))
        .map(|(aspect, twisted, torsade)| {
            let (twisted, torsade) = match aspect {
                Aspect::Events => apart(twisted, torsade),
                _ => (twisted.to_owned(), torsade.to_owned()),
            };
            Difference {
                aspect,
                twisted,
                torsade,
            }
        })
        .collect()
}

fn is_equal(aspect: Aspect, twisted: &str, torsade: &str) -> bool {
    let same_blame = || {
        let names = REASONS.iter().find(|(name, _)| *name == twisted);
        names.is_some_and(|(_, ours)| ours.contains(&torsade))
    };
    twisted == torsade || (aspect == Aspect::Reason && same_blame())
}

/// What is between the beginning and the end that two lists of events share.
fn apart(one: &str, other: &str) -> (String, String) {
    let one: Vec<&str> = one.split("; ").collect();
    let other: Vec<&str> = other.split("; ").collect();
    let shortest = one.len().min(other.len());
    let before = (0..shortest).take_while(|&n| one[n] == other[n]).count();
    let after = (0..shortest - before)
        .take_while(|&n| one[one.len() - 1 - n] == other[other.len() - 1 - n])
        .count();
    let middle = |all: &[&str]| match &all[before..all.len() - after] {
        [] => "-".to_owned(),
        middle => middle.join("; "),
    };
    (middle(&one), middle(&other))
}

/// One decision that makes us differ.
pub(crate) struct Reason {
    name: String,
    pub(crate) why: String,
}

/// One difference, where it is, and by which decisions.
struct Argument {
    line: usize,
    /// Which cells it speaks of, and how many of them each pattern has explained.
    patterns: Vec<(String, usize)>,
    aspect: String,
    twisted: String,
    torsade: String,
    /// Places in the list of reasons.
    by: Vec<usize>,
}

/// All of them, in the order of the file.
pub(crate) struct Arguments {
    reasons: Vec<Reason>,
    arguments: Vec<Argument>,
}

impl Arguments {
    pub(crate) fn read() -> Result<Self, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity.txt");
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let mut all = Self {
            reasons: Vec::new(),
            arguments: Vec::new(),
        };
        let mut block: Vec<(&str, &str)> = Vec::new();
        for (index, line) in text.lines().chain([""]).enumerate() {
            if line.starts_with('#') {
                continue;
            } else if line.is_empty() {
                let block = std::mem::take(&mut block);
                all.add(&block, index - block.len())
                    .map_err(|error| format!("parity.txt, before line {index}: {error}"))?;
            } else {
                let pair = line.split_once(": ");
                block.push(pair.ok_or_else(|| format!("no `key: value`: {line}"))?);
            }
        }
        Ok(all)
    }

    /// One block of lines: a reason, or an argument.
    fn add(&mut self, block: &[(&str, &str)], line: usize) -> Result<(), String> {
        let all = |key| block.iter().filter(move |(it, _)| *it == key);
        let one = |key| match all(key).map(|(_, value)| *value).collect::<Vec<_>>()[..] {
            [value] => Ok(value.to_owned()),
            _ => Err(format!("one `{key}` is needed")),
        };
        match block {
            [] => {}
            [("reason", name), ("why", why)] => self.reasons.push(Reason {
                name: (*name).to_owned(),
                why: (*why).to_owned(),
            }),
            _ => {
                let by = one("by")?;
                let by: Result<_, _> = by.split(", ").map(|name| self.place(name)).collect();
                let cells = all("cell").map(|(_, pattern)| ((*pattern).to_owned(), 0));
                self.arguments.push(Argument {
                    line,
                    patterns: cells.collect(),
                    aspect: one("part")?,
                    twisted: one("twisted")?,
                    torsade: one("torsade")?,
                    by: by?,
                });
            }
        }
        Ok(())
    }

    fn place(&self, name: &str) -> Result<usize, String> {
        let place = self.reasons.iter().position(|reason| reason.name == name);
        place.ok_or_else(|| format!("no such reason as {name:?}"))
    }

    /// By which decisions this cell differs so, if that is argued.
    pub(crate) fn explain(&mut self, cell: &str, difference: &Difference) -> Option<&[usize]> {
        let mut arguments = self.arguments.iter_mut();
        let argument = arguments.find_map(|it| it.explains(cell, difference).then_some(it));
        argument.map(|argument| &argument.by[..])
    }

    /// Patterns that no difference needed, and reasons that no argument did.
    pub(crate) fn stale(&self) -> Vec<String> {
        let patterns = self.arguments.iter().flat_map(|argument| {
            let unused = argument.patterns.iter().filter(|(_, used)| *used == 0);
            unused.map(|(pattern, _)| format!("line {}: {pattern}", argument.line + 1))
        });
        let is_idle = |place| self.arguments.iter().all(|it| !it.by.contains(&place));
        let reasons = self.reasons.iter().enumerate();
        let idle = reasons.filter(|(place, _)| is_idle(*place));
        patterns
            .chain(idle.map(|(_, reason)| format!("reason {}", reason.name)))
            .collect()
    }

    pub(crate) fn reasons(&self) -> &[Reason] {
        &self.reasons
    }
}

impl Argument {
    fn explains(&mut self, cell: &str, difference: &Difference) -> bool {
        let is_it = self.aspect == difference.aspect.to_string()
            && self.twisted == difference.twisted
            && self.torsade == difference.torsade;
        let pattern = self.patterns.iter_mut().find(|(it, _)| fits(it, cell));
        match pattern {
            Some((_, used)) if is_it => {
                *used += 1;
                true
            }
            _ => false,
        }
    }
}

/// Whether a name of three parts fits a pattern of three parts, each some words divided by `|`, or
/// `*`.
fn fits(pattern: &str, name: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), name.split('/'));
    let all = parts
        .by_ref()
        .zip(patterns.by_ref())
        .all(|(part, pattern)| pattern == "*" || pattern.split('|').any(|word| word == part));
    all && patterns.next().is_none() && parts.next().is_none()
}
