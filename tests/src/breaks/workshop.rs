//! A copy of the workspace, to be broken, built and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::list::Break;

/// The copy. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Workshop {
    folder: PathBuf,
    /// The harnesses to run on; none for all.
    columns: Vec<String>,
}

/// A cell that failed on a harness.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) column: String,
    pub(crate) cell: String,
}

/// What need not be copied.
const LEFT_OUT: [&str; 2] = [".git", "target"];

/// A broken build may hang; no cell that works takes as long as this many seconds.
const PATIENCE: &str = "--patience=20";

impl Workshop {
    pub(crate) fn open(columns: Vec<String>) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let name = format!("torsade-breaks-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        copy(&root, &folder)?;
        Ok(Self { folder, columns })
    }

    /// Break the copy, run these cells, and mend it again.
    pub(crate) fn run_broken(&self, one: &Break, cells: &[String]) -> Result<Vec<Failure>, String> {
        let path = self.folder.join(&one.file);
        let sound = read(&path)?;
        write(&path, &one.apply(&sound)?)?;
        let failures = self.run(cells);
        write(&path, &sound)?;
        failures.map_err(|problem| format!("“{}”: {problem}", one.what))
    }

    /// Build the suite and run these cells, or all. Returns those that failed.
    pub(crate) fn run(&self, cells: &[String]) -> Result<Vec<Failure>, String> {
        let suite = self.build()?;
        let output = self.run_suite(&suite, cells)?;
        if let Some(failures) = failures(&output) {
            return Ok(failures);
        }
        // The process ended before it could tell which cell did that: ask one by one.
        let mut found = Vec::new();
        let every = crate::known_cells();
        for cell in if cells.is_empty() { &every } else { cells } {
            let output = self.run_suite(&suite, std::slice::from_ref(cell))?;
            match failures(&output) {
                Some(failures) => found.extend(failures),
                None => found.push(Failure {
                    column: "the end of the process".into(),
                    cell: cell.clone(),
                }),
            }
        }
        Ok(found)
    }

    fn run_suite(&self, suite: &Path, cells: &[String]) -> Result<Output, String> {
        Command::new(suite)
            .arg(PATIENCE)
            .args(&self.columns)
            .args(cells)
            .output()
            .map_err(|error| format!("cannot run the suite: {error}"))
    }

    /// Build the suite; returns where it is.
    fn build(&self) -> Result<PathBuf, String> {
        let output = Command::new(env!("CARGO"))
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .args(["test", "--quiet", "--no-run", "--message-format=json"])
            .args(["--package", "torsade-tests", "--test", "conformance"])
            .output()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(format!("it does not build:\n{text}"));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        // The programs of the package are built too, this one among them.
        let is_suite = |path: &&str| path.contains("conformance-");
        text.lines()
            .filter_map(|line| line.split_once("\"executable\":\""))
            .filter_map(|(_, rest)| rest.split('"').next())
            .find(is_suite)
            .map(PathBuf::from)
            .ok_or_else(|| "cargo names no executable".to_owned())
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The cells that failed; none if the suite did not come to its end.
fn failures(output: &Output) -> Option<Vec<Failure>> {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last()?;
    last.strip_suffix(" failed")?;
    let failed = text.lines().filter_map(|line| {
        let (column, rest) = line.strip_prefix("FAIL  ")?.split_once(' ')?;
        let (cell, _) = rest.split_once(": ")?;
        Some(Failure {
            column: column.to_owned(),
            cell: cell.to_owned(),
        })
    });
    Some(failed.collect())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let problem = |error| format!("cannot copy {}: {error}", from.display());
    fs::create_dir_all(to).map_err(problem)?;
    for entry in fs::read_dir(from).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type().map_err(problem)?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target).map_err(problem)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
