//! What looks for faults.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use torsade_testing::conformance::{Cell, contracts};

/// A program that fails if something is wrong.
pub(crate) struct Rig {
    pub(crate) name: &'static str,
    package: &'static str,
    /// What cargo builds: a program, or a test.
    target: &'static str,
    arguments: &'static [&'static str],
    /// How it says how far it came.
    counts: Counts,
}

#[derive(Clone, Copy)]
enum Counts {
    Seeds,
    Operations,
    Cells,
    Tests,
    Traps,
}

/// In the order in which they are tried: those first that try at random, then the quick ones.
pub(crate) const RIGS: &[Rig] = &[
    rig(
        "chat seeds",
        "tests",
        "simulate",
        &["faults", "200", "8"],
        Counts::Seeds,
    ),
    rig(
        "exchange seeds",
        "tests",
        "simulate",
        &["exchange", "200", "4"],
        Counts::Seeds,
    ),
    rig(
        "engine fuzz",
        "tests",
        "fuzz_engine",
        &["300000", "1"],
        Counts::Operations,
    ),
    rig("framings", "wire", "framings", &[], Counts::Tests),
    rig("lines", "wire", "lines", &[], Counts::Tests),
    rig("Deferreds", "deferred", "suite", &[], Counts::Tests),
    rig(
        "simulated links",
        "testing",
        "sim_links",
        &[],
        Counts::Tests,
    ),
    rig(
        "conformance",
        "tests",
        "conformance",
        &["--patience=5"],
        Counts::Cells,
    ),
    rig(
        "Twisted's rules",
        "tests",
        "twisted_rules",
        &[],
        Counts::Tests,
    ),
    rig("traps", "tests", "traps", &[], Counts::Traps),
    rig("reactor", "reactor", "suite", &[], Counts::Tests),
    rig("descriptors", "reactor", "descriptors", &[], Counts::Tests),
    rig(
        "refused sends",
        "reactor",
        "system_calls",
        &["a_kernel_without_buffers"],
        Counts::Tests,
    ),
    rig(
        "kernel faults",
        "tests",
        "kernel_faults",
        &[],
        Counts::Tests,
    ),
];

const fn rig(
    name: &'static str,
    package: &'static str,
    target: &'static str,
    arguments: &'static [&'static str],
    counts: Counts,
) -> Rig {
    Rig {
        name,
        package,
        target,
        arguments,
        counts,
    }
}

/// The programs, built with all faults in them.
pub(crate) struct Built {
    folder: PathBuf,
    programs: BTreeMap<(String, String), PathBuf>,
}

/// One that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(100);

/// Build what all rigs need, where it is in nobody's way.
pub(crate) fn build() -> Result<Built, String> {
    let root = crate::root();
    let folder = root.join("target").join("planted");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(&root)
        .env("RUSTFLAGS", "--cfg planted")
        .env("CARGO_TARGET_DIR", &folder)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env("CARGO_INCREMENTAL", "0")
        .args(["test", "--quiet", "--no-run", "--message-format=json"]);
    for rig in RIGS {
        cargo.args(["--package", &format!("torsade-{}", rig.package)]);
        let kind = if rig.is_program() { "--bin" } else { "--test" };
        cargo.args([kind, rig.target]);
    }
    let output = cargo.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("it does not build".into());
    }
    let mut programs = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let (Some(path), Some(target)) = (text(line, "\"executable\":\""), target(line)) {
            let package = text(line, "\"package_id\":\"").unwrap_or_default();
            let package = package.split(['#', '@']).next().unwrap_or_default();
            let package = package.rsplit('/').next().unwrap_or_default();
            // Of a program there are two: itself, and one that runs what tests it holds.
            let rig = RIGS.iter().find(|rig| rig.target == target);
            if rig.is_some_and(|rig| rig.is_program() != is_test(line)) {
                programs.insert((package.to_owned(), target), path.into());
            }
        }
    }
    Ok(Built { folder, programs })
}

fn text<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    line.split_once(before)?.1.split('"').next()
}

/// The name of what was built, which stands behind its kind and crate type.
fn target(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("\"target\":{")?;
    text(rest, "\"name\":\"").map(str::to_owned)
}

fn is_test(line: &str) -> bool {
    let profile = line.split_once("\"profile\":{");
    let profile = profile.and_then(|(_, rest)| rest.split('}').next());
    profile.is_some_and(|profile| profile.contains("\"test\":true"))
}

impl Rig {
    fn is_program(&self) -> bool {
        matches!(self.counts, Counts::Seeds | Counts::Operations)
    }

    /// Run it with this fault. Returns after how much it was caught, if it was.
    pub(crate) fn run(&self, built: &Built, fault: &str) -> Result<Option<String>, String> {
        // Packages are known by the folder they are in.
        let key = (self.package.to_owned(), self.target.to_owned());
        let program = built.programs.get(&key);
        let program = program.ok_or_else(|| format!("{key:?} was not built"))?;
        let said = built.folder.join("said.txt");
        let file = File::create(&said).map_err(|error| error.to_string())?;
        let same = file.try_clone().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .current_dir(crate::root().join(match self.package {
                "tests" => "tests".to_owned(),
                package => format!("crates/{package}"),
            }))
            .env("TORSADE_PLANTED", fault)
            .env("RUST_BACKTRACE", "0")
            .args(self.arguments)
            .args(matches!(self.counts, Counts::Tests).then_some("--test-threads=1"))
            .stdout(file)
            .stderr(same)
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let begin = Instant::now();
        let ended = loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => break Some(status),
                None if begin.elapsed() > PATIENCE => break None,
                // std has no wait for a child with an end: it is asked for now and then.
                None => thread::park_timeout(Duration::from_millis(20)),
            }
        };
        let text = fs::read(&said).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&text);
        Ok(match ended {
            Some(status) if status.success() => None,
            Some(_) => Some(self.counts.read(&text)),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Some(format!("{}, then hangs", self.counts.read(&text)))
            }
        })
    }
}

impl Counts {
    /// How much it took, from what the rig said.
    fn read(self, text: &str) -> String {
        let read = match self {
            Self::Seeds => seeds(text),
            Self::Operations => operations(text),
            Self::Cells => cells(text),
            Self::Tests => tests(text),
            Self::Traps => traps(text),
        };
        read.unwrap_or_else(|| "the end of the process".into())
    }
}

fn seeds(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("seed ")?;
    let seed: u64 = rest.split([' ', ';']).next()?.parse().ok()?;
    Some(many(seed + 1, "seed"))
}

fn operations(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.contains(" operations on "))?;
    let (operations, rest) = line.split_once(" operations on ")?;
    let engines = rest.split(' ').next()?.parse().ok()?;
    Some(format!(
        "{} ({operations} operations)",
        many(engines, "engine")
    ))
}

fn cells(text: &str) -> Option<String> {
    let failed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("FAIL  "))
        .collect();
    let (_, rest) = failed.first()?.split_once(' ')?;
    let (first, _) = rest.split_once(": ")?;
    let mut known = contracts().iter().flat_map(|contract| contract.cells);
    let place = known.position(|cell| Cell::id(cell) == first)?;
    let more = match failed.len() {
        1 => String::new(),
        failed => format!(", {failed} fail in all columns"),
    };
    Some(format!(
        "{}: `{first}`{more}",
        many(place as u64 + 1, "cell")
    ))
}

fn tests(text: &str) -> Option<String> {
    let ran = text.lines().filter(|line| line.starts_with("test "));
    let (place, line) = ran
        .enumerate()
        .find(|(_, line)| !line.ends_with("ok") && !line.contains("ignored"))?;
    let name = line.trim_start_matches("test ").split(' ').next()?;
    Some(format!("{}: `{name}`", many(place as u64 + 1, "test")))
}

fn traps(text: &str) -> Option<String> {
    let mut failed = text.lines().filter_map(|line| line.strip_prefix("trap "));
    let (name, _) = failed.next()?.split_once(": ")?;
    Some(format!("`{name}`"))
}

fn many(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
