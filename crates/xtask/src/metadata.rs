//! What Cargo knows about the workspace and everything it depends on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cargo::{Workspace, output};

/// The packages of the workspace and of its lock file.
pub(crate) struct Metadata {
    packages: BTreeMap<String, Package>,
    members: BTreeSet<String>,
    /// Package id to the ids that it needs when it is built for a user.
    needs: BTreeMap<String, Vec<String>>,
}

/// One package, ours or not.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest_path: String,
    pub(crate) rust_version: Option<String>,
    pub(crate) is_published: bool,
    pub(crate) dependencies: Vec<Dependency>,
    /// The root file of its library, if it has one.
    pub(crate) library: Option<String>,
}

/// A line of a package's manifest.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) is_for_tests: bool,
}

impl Metadata {
    /// Asks Cargo.
    pub(crate) fn load(workspace: &Workspace) -> Result<Self, String> {
        let text = output(&mut workspace.cargo(&["metadata", "--format-version", "1"]))?;
        Self::parse(&text)
    }

    /// Reads what Cargo answered.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| format!("cannot read what `cargo metadata` printed: {error}"))?;
        Ok(Self {
            packages: list(&value["packages"])
                .map(|package| (text_of(&package["id"]), Package::read(package)))
                .collect(),
            members: list(&value["workspace_members"]).map(text_of).collect(),
            needs: list(&value["resolve"]["nodes"])
                .map(|node| (text_of(&node["id"]), needs_of(node)))
                .collect(),
        })
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().filter_map(|id| self.packages.get(id))
    }

    /// Everything a user builds who depends on a published package of ours,
    /// ours included, on any system.
    pub(crate) fn built_by_users(&self) -> Vec<&Package> {
        let is_published =
            |id: &&String| self.packages.get(*id).is_some_and(|one| one.is_published);
        let mut open: Vec<&String> = self.members.iter().filter(is_published).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.needs.get(id).into_iter().flatten());
            }
        }
        seen.into_iter()
            .filter_map(|id| self.packages.get(id))
            .collect()
    }
}

impl Package {
    fn read(value: &Value) -> Self {
        let is_library = |target: &&Value| list(&target["kind"]).any(|kind| kind == "lib");
        Self {
            name: text_of(&value["name"]),
            version: text_of(&value["version"]),
            manifest_path: text_of(&value["manifest_path"]),
            rust_version: value["rust_version"].as_str().map(str::to_owned),
            // `publish = false` appears as an empty list of registries.
            is_published: value["publish"].is_null(),
            dependencies: list(&value["dependencies"])
                .map(|dependency| Dependency {
                    name: text_of(&dependency["name"]),
                    is_for_tests: dependency["kind"] == "dev",
                })
                .collect(),
            library: list(&value["targets"])
                .find(is_library)
                .map(|target| text_of(&target["src_path"])),
        }
    }
}

fn needs_of(node: &Value) -> Vec<String> {
    list(&node["deps"])
        .filter(|edge| list(&edge["dep_kinds"]).any(|kind| kind["kind"] != "dev"))
        .map(|edge| text_of(&edge["pkg"]))
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_builds_what_published_packages_need_but_not_their_tests() {
        let text = r#"{
            "packages": [
                {"id": "ours", "name": "ours", "publish": null},
                {"id": "tool", "name": "tool", "publish": []},
                {"id": "near", "name": "near"},
                {"id": "far", "name": "far"},
                {"id": "for-tests", "name": "for-tests"},
                {"id": "for-tool", "name": "for-tool"}
            ],
            "workspace_members": ["ours", "tool"],
            "resolve": {"nodes": [
                {"id": "ours", "deps": [
                    {"pkg": "near", "dep_kinds": [{"kind": null}]},
                    {"pkg": "for-tests", "dep_kinds": [{"kind": "dev"}]}
                ]},
                {"id": "near", "deps": [{"pkg": "far", "dep_kinds": [{"kind": "build"}]}]},
                {"id": "tool", "deps": [{"pkg": "for-tool", "dep_kinds": [{"kind": null}]}]}
            ]}
        }"#;
        let metadata = Metadata::parse(text).unwrap();
        let built: Vec<&str> = metadata
            .built_by_users()
            .into_iter()
            .map(|package| package.name.as_str())
            .collect();
        assert_eq!(built, ["far", "near", "ours"]);
    }
}
