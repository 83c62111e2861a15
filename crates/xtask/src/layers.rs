//! The packages as layers: each depends only on rows above its own.

use std::path::Path;

use crate::cargo::Workspace;
use crate::manifest;
use crate::metadata::{Metadata, Package};
use crate::steps::Outcome;

/// A row of the table of layers.
struct Row {
    package: &'static str,
    /// The outside crates that a pure package may use. Adding one is a
    /// decision: it must open no socket, read no clock and start no thread.
    pure: Option<&'static [&'static str]>,
}

/// From the ground up. The last rows may do input and output.
const ROWS: &[Row] = &[
    Row {
        package: "torsade-deferred",
        pure: Some(&[]),
    },
    Row {
        package: "torsade-core",
        pure: Some(&["bytes", "log", "thiserror"]),
    },
    Row {
        package: "torsade-wire",
        pure: Some(&["bytes", "log", "memchr", "thiserror", "wide"]),
    },
    Row {
        package: "torsade-service",
        pure: Some(&["log", "thiserror"]),
    },
    Row {
        package: "torsade-futures",
        // Of hyper and tokio nothing but their traits of streams, timers and executors.
        pure: Some(&[
            "futures-core",
            "futures-io",
            "futures-sink",
            "hyper",
            "log",
            "memchr",
            "thiserror",
            "tokio",
        ]),
    },
    Row {
        package: "torsade-testing",
        pure: Some(&["bytes", "log"]),
    },
    Row {
        package: "torsade-tls",
        // Two of these look outside, each in one place: for the authorities that the system
        // trusts, if they are asked for, and for the wall clock, if no other is given.
        pure: Some(&[
            "log",
            "rcgen",
            "rustls",
            "rustls-native-certs",
            "thiserror",
            "x509-parser",
        ]),
    },
    Row {
        package: "torsade-reactor",
        pure: None,
    },
    Row {
        package: "torsade",
        pure: None,
    },
];

/// The one package that may hold `unsafe`, in a module for each driver.
const UNSAFE_IN: &str = "torsade-reactor";

/// Checks the order of the layers and that all share the workspace's rules.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome, String> {
    let metadata = Metadata::load(workspace)?;
    let mut problems = Vec::new();
    for package in metadata.members() {
        problems.extend(wrong_dependencies(package, &metadata));
        problems.extend(not_inherited(package)?);
        problems.extend(unguarded(package, workspace)?);
    }
    if problems.is_empty() {
        let count = metadata.members().count();
        Ok(Outcome::note(format!("{count} packages")))
    } else {
        Err(format!(
            "the layers are broken:\n  {}",
            problems.join("\n  ")
        ))
    }
}

fn row_of(name: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.package == name)
}

/// Dependencies on the same row or below, or on nothing a pure package may use.
fn wrong_dependencies(package: &Package, metadata: &Metadata) -> Vec<String> {
    let Some(row) = row_of(&package.name) else {
        // What is not in the table stands below it: programs, tests, tools.
        return if package.is_published {
            vec![format!("{} is published but has no row", package.name)]
        } else {
            Vec::new()
        };
    };
    let mut problems = Vec::new();
    // A package's own tests may look down: Cargo builds them after both.
    for dependency in package.dependencies.iter().filter(|one| !one.is_for_tests) {
        let name = dependency.name.as_str();
        let is_member = metadata.members().any(|member| member.name == name);
        let allowed = match (is_member, ROWS[row].pure) {
            (true, _) => row_of(name).is_some_and(|other| other < row),
            (false, Some(may_use)) => may_use.contains(&name),
            (false, None) => true,
        };
        if !allowed {
            problems.push(format!("{} must not depend on {name}", package.name));
        }
    }
    problems
}

/// Rules that a package does not take from the workspace.
fn not_inherited(package: &Package) -> Result<Vec<String>, String> {
    let text = read(&package.manifest_path)?;
    let wanted = [
        ("package", "edition.workspace"),
        ("package", "rust-version.workspace"),
        ("lints", "workspace"),
    ];
    Ok(wanted
        .into_iter()
        .filter(|(section, key)| !manifest::says(&text, section, key, "true"))
        .map(|(section, key)| format!("{}: [{section}] does not say `{key} = true`", package.name))
        .collect())
}

/// Libraries without their guards: `unsafe` forbidden, pure ones kept pure.
fn unguarded(package: &Package, workspace: &Workspace) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    if let Some(library) = &package.library
        && package.name != UNSAFE_IN
        && !read(library)?.contains("#![forbid(unsafe_code)]")
    {
        problems.push(format!("{} does not forbid unsafe code", package.name));
    }
    let is_pure = row_of(&package.name).is_some_and(|row| ROWS[row].pure.is_some());
    if is_pure {
        let folder = Path::new(&package.manifest_path).with_file_name("clippy.toml");
        let guard = std::fs::read_to_string(folder).unwrap_or_default();
        if guard != workspace.read("crates/deferred/clippy.toml")? {
            problems.push(format!(
                "{}: its clippy.toml is not the one of the pure crates",
                package.name
            ));
        }
    }
    Ok(problems)
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Cargo would say of these packages: name, published, needs.
    fn problems(packages: &[(&str, bool, &str)]) -> Vec<String> {
        let described: Vec<String> = packages
            .iter()
            .map(|(name, published, needs)| {
                let publish = if *published { "null" } else { "[]" };
                format!(
                    r#"{{"id":"{name}","name":"{name}","publish":{publish},"dependencies":[{needs}]}}"#
                )
            })
            .collect();
        let ids: Vec<String> = packages
            .iter()
            .map(|(name, ..)| format!("{name:?}"))
            .collect();
        let text = format!(
            r#"{{"packages":[{}],"workspace_members":[{}]}}"#,
            described.join(","),
            ids.join(",")
        );
        let metadata = Metadata::parse(&text).unwrap();
        metadata
            .members()
            .flat_map(|package| wrong_dependencies(package, &metadata))
            .collect()
    }

    #[test]
    fn a_package_may_look_up_and_its_tests_may_look_down() {
        let found = problems(&[
            ("torsade-deferred", true, ""),
            (
                "torsade-core",
                true,
                r#"{"name":"torsade-deferred"},{"name":"log"},{"name":"torsade-testing","kind":"dev"}"#,
            ),
            ("torsade-testing", true, r#"{"name":"torsade-core"}"#),
            ("torsade-reactor", true, r#"{"name":"polling"}"#),
            ("xtask", false, r#"{"name":"anything"}"#),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn what_breaks_the_layers_is_named() {
        let found = problems(&[
            (
                "torsade-core",
                true,
                r#"{"name":"torsade-testing"},{"name":"polling"}"#,
            ),
            ("torsade-reactor", true, r#"{"name":"xtask"}"#),
            ("torsade-stray", true, ""),
            ("torsade-testing", true, ""),
            ("xtask", false, ""),
        ]);
        assert_eq!(
            found,
            [
                "torsade-core must not depend on torsade-testing",
                "torsade-core must not depend on polling",
                "torsade-reactor must not depend on xtask",
                "torsade-stray is published but has no row",
            ]
        );
    }
}
