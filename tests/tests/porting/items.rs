//! The public items of the crates, and the names by which the search box finds them, read from
//! the sources by their shape. rustfmt sees to the shape.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// Items by their last one or two words, `Net::listen` or `factory`, each with its aliases.
#[derive(Debug, Default)]
pub(crate) struct Items(BTreeMap<String, BTreeSet<String>>);

impl Items {
    /// Those of all `.rs` files of the crates' `src` folders. Crates of tools are none of them.
    pub(crate) fn read(crates: &Path) -> io::Result<Self> {
        let mut items = Self::default();
        for name in [
            "core", "deferred", "futures", "reactor", "service", "testing", "tls", "torsade",
            "wire",
        ] {
            items.add_folder(&crates.join(name).join("src"))?;
        }
        Ok(items)
    }

    fn add_folder(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.add_folder(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                self.add(&fs::read_to_string(path)?);
            }
        }
        Ok(())
    }

    /// Add those of a source.
    pub(crate) fn add(&mut self, source: &str) {
        // What is inside a block at the margin belongs to its type or trait.
        let mut owner = String::new();
        let mut aliases = BTreeSet::new();
        for line in source.lines() {
            let code = line.trim_start();
            if let Some(alias) = code.strip_prefix("#[doc(alias = \"") {
                aliases.extend(alias.split('"').next().map(str::to_owned));
                continue;
            }
            let at_the_margin = code.len() == line.len();
            if at_the_margin && let Some(of) = block_of(line) {
                owner = of;
            }
            let inside = !at_the_margin && line.len() - code.len() == 4;
            let is_public = inside || line.starts_with("pub ");
            let name = item_of(code).or_else(|| variant_of(code).filter(|_| inside));
            let Some(name) = name.filter(|_| is_public) else {
                continue;
            };
            let path = if at_the_margin {
                name
            } else {
                format!("{owner}::{name}")
            };
            let found_by = self.0.entry(path).or_default();
            found_by.append(&mut aliases);
        }
    }

    pub(crate) fn is_there(&self, item: &str) -> bool {
        self.0.contains_key(item)
    }

    /// Whether the search box finds the item by this name, which may be a path of its own:
    /// `DelayedCall.cancel` is found by `cancel`.
    pub(crate) fn is_found(&self, item: &str, name: &str) -> bool {
        let own = item.rsplit("::").next().unwrap_or(item);
        let last = name.rsplit('.').next().unwrap_or(name);
        let aliases = self.0.get(item);
        own == last
            || aliases.is_some_and(|aliases| aliases.contains(name) || aliases.contains(last))
    }

    /// An item that is found by this very name, or is it.
    pub(crate) fn by_name(&self, name: &str) -> Option<&str> {
        let aliased = self.0.iter().find(|(_, aliases)| aliases.contains(name));
        let item = aliased.or_else(|| self.0.get_key_value(name));
        item.map(|(path, _)| path.as_str())
    }
}

/// The type or trait whose block this line at the margin begins.
fn block_of(line: &str) -> Option<String> {
    if let Some(header) = line.strip_prefix("impl") {
        let header = header.split(" {").next().unwrap_or(header);
        let of = header.rsplit(" for ").next()?;
        let of = if of == header { after_generics(of) } else { of };
        return Some(word(of.trim_start()));
    }
    item_of(line)
}

/// What stands behind `<..>`, if that is there.
fn after_generics(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            // Not the arrow of a closure's type.
            '>' if !text[..at].ends_with('-') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return text[at..].trim_start_matches('>');
        }
    }
    text
}

/// The name of the item that this line declares. Functions of traits have no `pub`, fields do.
fn item_of(code: &str) -> Option<String> {
    const KINDS: [&str; 9] = [
        "async fn ",
        "const fn ",
        "fn ",
        "struct ",
        "enum ",
        "trait ",
        "type ",
        "const ",
        "mod ",
    ];
    let declared = code.strip_prefix("pub ").unwrap_or(code);
    KINDS
        .iter()
        .find_map(|kind| declared.strip_prefix(kind))
        .map(word)
        .or_else(|| {
            let (field, _) = code.strip_prefix("pub ")?.split_once(": ")?;
            Some(field.to_owned())
        })
        .filter(|name| !name.is_empty())
}

/// The name of the variant that this line declares.
fn variant_of(code: &str) -> Option<String> {
    let name = word(code);
    let is_variant = name.starts_with(char::is_uppercase)
        && code[name.len()..].starts_with([',', '(', ' '])
        && !code.ends_with(';');
    is_variant.then_some(name)
}

fn word(text: &str) -> String {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    text[..end.unwrap_or(text.len())].to_owned()
}
