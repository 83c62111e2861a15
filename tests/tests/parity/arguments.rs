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

/// One reason, and what it is a reason for.
pub(crate) struct Argument {
    line: usize,
    /// Which cells it speaks of, and how many of them each pattern has explained.
    patterns: Vec<(String, usize)>,
    aspect: String,
    twisted: String,
    torsade: String,
    pub(crate) why: String,
}

/// All of them, in the order of the file.
pub(crate) struct Arguments(Vec<Argument>);

impl Arguments {
    pub(crate) fn read() -> Result<Self, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity.txt");
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut all: Vec<Argument> = Vec::new();
        let mut is_new = true;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                is_new = true;
                continue;
            }
            if std::mem::take(&mut is_new) {
                all.push(Argument::begin(number + 1));
            }
            let argument = all.last_mut().ok_or("no argument")?;
            let (key, value) = line
                .split_once(": ")
                .ok_or_else(|| format!("line {}: no `key: value`", number + 1))?;
            match key {
                "cell" => argument.patterns.push((value.to_owned(), 0)),
                "part" => value.clone_into(&mut argument.aspect),
                "twisted" => value.clone_into(&mut argument.twisted),
                "torsade" => value.clone_into(&mut argument.torsade),
                "why" => value.clone_into(&mut argument.why),
                _ => return Err(format!("line {}: no such key", number + 1)),
            }
        }
        match all.iter().find(|argument| argument.is_incomplete()) {
            Some(argument) => Err(format!(
                "the argument of line {} lacks a part",
                argument.line
            )),
            None => Ok(Self(all)),
        }
    }

    /// The number of the argument that explains this difference of this cell, from one.
    pub(crate) fn explain(&mut self, cell: &str, difference: &Difference) -> Option<usize> {
        self.0
            .iter_mut()
            .position(|argument| argument.explains(cell, difference))
            .map(|index| index + 1)
    }

    /// Patterns that no difference needed.
    pub(crate) fn stale(&self) -> Vec<String> {
        let patterns = self.0.iter().flat_map(|argument| {
            let unused = argument.patterns.iter().filter(|(_, used)| *used == 0);
            unused.map(|(pattern, _)| format!("line {}: {pattern}", argument.line))
        });
        patterns.collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Argument> {
        self.0.iter()
    }
}

impl Argument {
    fn begin(line: usize) -> Self {
        Self {
            line,
            patterns: Vec::new(),
            aspect: String::new(),
            twisted: String::new(),
            torsade: String::new(),
            why: String::new(),
        }
    }

    fn is_incomplete(&self) -> bool {
        self.patterns.is_empty()
            || [&self.aspect, &self.twisted, &self.torsade, &self.why]
                .iter()
                .any(|part| part.is_empty())
    }

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

    /// How many differences it explained.
    pub(crate) fn used(&self) -> usize {
        self.patterns.iter().map(|(_, used)| used).sum()
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
