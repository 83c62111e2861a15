//! The stated `rust-version` is true: for the dependencies by what they
//! state themselves, for our code by clippy and, where it is installed, by
//! the compiler of that version.

use std::process::Command;

use crate::cargo::{Workspace, output, run};
use crate::manifest;
use crate::metadata::Metadata;
use crate::steps::Outcome;

/// Checks the dependencies, then compiles if this machine can.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome, String> {
    let root = workspace.read("Cargo.toml")?;
    let ours = manifest::entries(&root)
        .into_iter()
        .find(|entry| entry.section == "workspace.package" && entry.key == "rust-version")
        .map(|entry| entry.value.trim_matches('"'))
        .ok_or("the root manifest states no rust-version")?;
    let metadata = Metadata::load(workspace)?;
    let built = metadata.built_by_users();
    let too_new: Vec<String> = built
        .iter()
        .filter_map(|package| {
            let stated = package.rust_version.as_deref()?;
            (parts(stated) > parts(ours))
                .then(|| format!("{} {} needs Rust {stated}", package.name, package.version))
        })
        .collect();
    if !too_new.is_empty() {
        return Err(format!(
            "the workspace states rust-version {ours}, but\n  {}",
            too_new.join("\n  ")
        ));
    }
    let silent = built.iter().filter(|one| one.rust_version.is_none());
    let mut outcome = compile(workspace, ours, &metadata)?;
    outcome.notes.insert(
        0,
        format!(
            "of the {} packages that a user builds none states more than Rust {ours}, \
             {} state nothing; clippy's incompatible_msrv watches our use of std",
            built.len(),
            silent.count()
        ),
    );
    Ok(outcome)
}

/// Compiles the published packages with the stated compiler if it is there.
///
/// Rustup is asked for its list first, because naming a toolchain that is
/// not installed would make it download one.
fn compile(workspace: &Workspace, ours: &str, metadata: &Metadata) -> Result<Outcome, String> {
    let installed = output(Command::new("rustup").args(["toolchain", "list"])).unwrap_or_default();
    let Some(toolchain) = installed_toolchain(&installed, ours) else {
        return Ok(Outcome::note(format!(
            "not compiled with Rust {ours}: rustup has no such toolchain here"
        )));
    };
    let mut command = Command::new("rustup");
    command.args(["run", toolchain, "cargo", "check"]);
    // A folder of its own, or the two compilers would undo each other's work.
    command.args(["--target-dir", "target/msrv"]);
    for package in metadata.members().filter(|one| one.is_published) {
        command.args(["-p", &package.name]);
    }
    run(command.current_dir(workspace.root()))?;
    Ok(Outcome::note(format!("compiled with {toolchain}")))
}

/// The first installed toolchain of that version, with any patch level.
fn installed_toolchain<'a>(list: &'a str, version: &str) -> Option<&'a str> {
    list.lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| {
            name.strip_prefix(version)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
        })
}

fn parts(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .chain([0, 0])
        .take(3)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_missing_parts_are_zero() {
        assert!(parts("1.100") > parts("1.88"));
        assert_eq!(parts("1.88"), parts("1.88.0"));
        assert!(parts("1.88.1") > parts("1.88"));
    }

    #[test]
    fn a_toolchain_is_found_by_version_and_not_by_prefix() {
        let list = "stable-x86_64 (active, default)\n1.880.0-x86_64\n1.88.0-x86_64\n";
        assert_eq!(installed_toolchain(list, "1.88"), Some("1.88.0-x86_64"));
        assert_eq!(installed_toolchain(list, "1.87"), None);
    }
}
