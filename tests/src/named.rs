//! Tests that lists name: whether they are there.

use std::fs;
use std::path::{Path, PathBuf};

use torsade_testing::conformance::{Cell, contracts};

/// Whether there is such a test: a cell of the conformance suite (`C4.some_name`), or a function that
/// is marked as a test (`package::file::name`).
///
/// # Errors
/// What is wrong, in words.
pub fn exists(test: &str) -> Result<(), String> {
    let mut cells = contracts().iter().flat_map(|contract| contract.cells);
    if cells.any(|cell| Cell::id(cell) == test) {
        return Ok(());
    }
    let mut parts = test.split("::");
    let (Some(package), Some(file), Some(name), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(format!("there is no cell {test}"));
    };
    let path = folder(package).join(file);
    let source = fs::read_to_string(&path).map_err(|error| format!("{test}: {error}"))?;
    if has_test(&source, name) {
        Ok(())
    } else {
        Err(format!("there is no test {test}"))
    }
}

fn has_test(source: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let mut attributes = lines[..at].iter().rev();
        line.starts_with(&function)
            && attributes
                .by_ref()
                .take_while(|line| line.starts_with("#["))
                .any(|line| *line == "#[test]")
    })
}

fn folder(package: &str) -> PathBuf {
    match package.strip_prefix("torsade-") {
        Some("tests") => root().join("tests"),
        Some("examples") => root().join("examples"),
        Some(name) => root().join("crates").join(name),
        None => root().join("crates").join(package),
    }
}

/// The folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_a_cell_or_a_function_marked_as_one() {
        assert_eq!(exists("C4.endings_may_be_repeated_and_mixed"), Ok(()));
        assert!(exists("C4.endings_may_be").is_err());
        let here = "torsade-tests::src/named.rs::a_test_is_a_cell_or_a_function_marked_as_one";
        assert_eq!(exists(here), Ok(()));
        assert!(exists("torsade-tests::src/named.rs::exists").is_err());
        assert!(exists("torsade-tests::src/named.rs::nothing").is_err());
        assert!(exists("torsade-tests::tests/nowhere.rs::nothing").is_err());
        assert!(exists("torsade-tests::src/named.rs").is_err());
    }
}
