//! The files of figures: `key = value` lines below `[section]` lines, a part of TOML.

/// One line that says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Empty above the first section.
    pub(super) section: &'a str,
    pub(super) key: &'a str,
    /// Without its quotes, if it has any.
    pub(super) value: &'a str,
}

/// Reads a file.
pub(super) fn parse(text: &str) -> Result<Vec<Entry<'_>>, String> {
    let mut section = "";
    let mut entries = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name;
            continue;
        }
        let (key, value) = line
            .split_once(" = ")
            .ok_or_else(|| format!("a file of figures says {line:?}"))?;
        entries.push(Entry {
            section,
            key,
            value: value.trim_matches('"'),
        });
    }
    Ok(entries)
}

impl Entry<'_> {
    /// The value as a number.
    pub(super) fn number(&self) -> Result<f64, String> {
        self.value
            .parse()
            .map_err(|_| format!("a file of figures says {} = {:?}", self.key, self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_in_the_section_above_it() {
        let entries = parse("# why\na = 1\n\n[two]\nb = \"c d\"\n").unwrap();
        let read: Vec<_> = entries
            .iter()
            .map(|e| (e.section, e.key, e.value))
            .collect();
        assert_eq!(read, [("", "a", "1"), ("two", "b", "c d")]);
        assert_eq!(entries[0].number(), Ok(1.0));
        assert!(entries[1].number().is_err());
    }

    #[test]
    fn what_is_no_line_of_that_kind_is_refused() {
        assert!(parse("a: 1").unwrap_err().contains("a: 1"));
    }
}
