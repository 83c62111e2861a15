//! Marks that must not be in what is committed.

use std::process::Command;

use crate::cargo::{Workspace, output};
use crate::steps::Outcome;

/// A mark and where it must not stand.
struct Rule {
    finds: fn(&str) -> bool,
    /// File names that the rule reads, by their ending; empty for all.
    endings: &'static [&'static str],
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        finds: is_unfinished,
        endings: &[".rs"],
        why: "unfinished code",
    },
    Rule {
        finds: is_sleep,
        endings: &[".rs"],
        why: "sleeps: wait for the event itself, or use the virtual clock",
    },
    Rule {
        finds: is_ignored,
        endings: &[".rs", ".md"],
        why: "ignored without a reason: say `#[ignore = \"why\"]`, and let examples run",
    },
    Rule {
        finds: is_absolute_path,
        endings: &[],
        why: "a path of one machine",
    },
    Rule {
        finds: is_registry,
        endings: &[],
        why: "names a registry: which one is used is the reader's own setting",
    },
];

/// Lines that may stay: file, a part of the line, the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Reads every file that is, or is about to be, committed.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome, String> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let files = output(list.current_dir(workspace.root()))?;
    let mut problems = Vec::new();
    let mut read = 0;
    for path in files.lines() {
        // A name in the index may be deleted in the work tree, and a picture
        // is not text.
        let Ok(text) = std::fs::read_to_string(workspace.root().join(path)) else {
            continue;
        };
        read += 1;
        problems.extend(problems_of(path, &text));
    }
    if problems.is_empty() {
        Ok(Outcome::note(format!("{read} files read")))
    } else {
        Err(format!("found\n  {}", problems.join("\n  ")))
    }
}

fn problems_of(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let may_stay = EXCEPTIONS
            .iter()
            .any(|(file, part, _)| *file == path && line.contains(part));
        for rule in RULES {
            let applies =
                rule.endings.is_empty() || rule.endings.iter().any(|end| path.ends_with(end));
            if applies && !may_stay && (rule.finds)(line) {
                problems.push(format!("{path}:{}: {}", index + 1, rule.why));
            }
        }
    }
    problems
}

// The marks below are put together from pieces, so that this file does not
// find itself.

fn is_unfinished(line: &str) -> bool {
    [concat!("to", "do!"), concat!("unimple", "mented!")]
        .iter()
        .any(|mark| line.contains(mark))
}

fn is_sleep(line: &str) -> bool {
    line.contains(concat!("thread::", "sleep"))
}

fn is_ignored(line: &str) -> bool {
    let attribute = concat!("#[ig", "nore");
    let bare = line
        .split_once(attribute)
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('='));
    let fence = line
        .split_once("```")
        .is_some_and(|(_, info)| info.split(',').any(|word| word.trim() == "ignore"));
    bare || fence
}

fn is_absolute_path(line: &str) -> bool {
    ["work", "root", "tmp", "home", "Users"]
        .iter()
        .any(|folder| has_path(line, &format!("/{folder}")))
}

/// Whether the path stands by itself: not inside a longer one or an address.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let inside = |c: char| c.is_alphanumeric() || "._-/}*<>".contains(c);
        !before.is_some_and(inside) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn is_registry(line: &str) -> bool {
    let usual = concat!("regis", "try+https://github.com/rust-lang/crates.io-index");
    let line = line.replace(usual, "");
    [
        concat!("regis", "try+"),
        concat!("spar", "se+"),
        concat!("[sour", "ce."),
        concat!("[regis", "tries"),
        concat!("replace", "-with"),
        concat!("--index", "-url"),
        concat!("static.", "crates"),
        concat!("index.", "crates"),
    ]
    .iter()
    .any(|mark| line.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_found_with_its_line() {
        let bad = [
            ("a.rs", concat!("    to", "do!()"), "unfinished"),
            ("a.rs", concat!("std::thread::", "sleep(d);"), "sleeps"),
            ("a.rs", concat!("#[ig", "nore]"), "ignored"),
            ("a.md", concat!("```rust,ig", "nore"), "ignored"),
            ("run", concat!("cd /", "work/main"), "path"),
            ("a.rs", concat!("\"/", "tmp\""), "path"),
            (
                "Cargo.lock",
                concat!("source = \"regis", "try+x\""),
                "registry",
            ),
        ];
        for (path, line, why) in bad {
            let found = problems_of(path, &format!("fine\n{line}\n"));
            assert_eq!(found.len(), 1, "{path}: {line}: {found:?}");
            assert!(found[0].starts_with(&format!("{path}:2: ")), "{found:?}");
            assert!(found[0].contains(why), "{found:?}");
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_stays() {
        let good = [
            concat!("#[ig", "nore = \"needs a screen\"]"),
            "https://example.com/work/a",
            "../work and $HOME/tmp and target/tmp",
            "/tmpfile /rooted",
            concat!("regis", "try+https://github.com/rust-lang/crates.io-index"),
        ];
        for line in good {
            assert_eq!(problems_of("a.rs", line), Vec::<String>::new());
        }
    }

    #[test]
    fn an_ending_limits_a_rule() {
        let text = concat!("std::thread::", "sleep");
        assert_eq!(problems_of("clippy.toml", text), Vec::<String>::new());
    }
}
