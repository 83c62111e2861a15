//! Every dependency of the workspace says, directly above it, what it is for.

use crate::cargo::Workspace;
use crate::manifest::{self, Entry};
use crate::metadata::Metadata;
use crate::steps::Outcome;

/// Checks the root manifest, and that no package names a version of its own.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome, String> {
    let mut problems = without_reason(&workspace.read("Cargo.toml")?);
    for package in Metadata::load(workspace)?.members() {
        let manifest = std::fs::read_to_string(&package.manifest_path)
            .map_err(|error| format!("cannot read the manifest of {}: {error}", package.name))?;
        problems.extend(
            own_versions(&manifest)
                .into_iter()
                .map(|name| format!("{}: `{name}` is not inherited", package.name)),
        );
    }
    if problems.is_empty() {
        Ok(Outcome::default())
    } else {
        Err(format!(
            "each dependency stands in the root manifest's [workspace.dependencies], \
             below a comment that says what it is for:\n  {}",
            problems.join("\n  ")
        ))
    }
}

/// The outside dependencies of the workspace that no comment stands above.
fn without_reason(root_manifest: &str) -> Vec<String> {
    manifest::entries(root_manifest)
        .into_iter()
        .filter(|entry| entry.section == "workspace.dependencies")
        .filter(|entry| !is_member(entry) && !entry.has_comment_above)
        .map(|entry| format!("Cargo.toml: `{}` has no reason", entry.key))
        .collect()
}

/// Our own packages need no reason: the layers are theirs.
fn is_member(entry: &Entry<'_>) -> bool {
    entry.value.contains("path =")
}

/// The dependencies that a package does not inherit from the workspace.
fn own_versions(manifest: &str) -> Vec<&str> {
    manifest::entries(manifest)
        .into_iter()
        .filter(|entry| entry.section.ends_with("dependencies"))
        .filter(|entry| {
            let inherits =
                entry.key.ends_with(".workspace") || entry.value.contains("workspace = true");
            // A test-only path inside the workspace carries no version, so
            // that publishing does not go round in a circle.
            !inherits && !is_member(entry)
        })
        .map(|entry| entry.key)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_comment_is_named() {
        let text = "[workspace.dependencies]\nours = { path = \"x\" }\n\n# Why.\nbytes = \"1\"\nlog = \"0.4\"\n";
        assert_eq!(without_reason(text), ["Cargo.toml: `log` has no reason"]);
    }

    #[test]
    fn a_version_of_its_own_is_named() {
        let text = "[dependencies]\nlog.workspace = true\nbytes = { workspace = true }\n[dev-dependencies]\nrand = \"1\"\n";
        assert_eq!(own_versions(text), ["rand"]);
    }
}
