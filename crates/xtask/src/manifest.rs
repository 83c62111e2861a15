//! A manifest read line by line: enough of TOML for the questions asked here.

/// One `key = value` line, with where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The nearest `[section]` above, without brackets; empty at the top.
    pub(crate) section: &'a str,
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
    /// Whether the line directly above is a comment.
    pub(crate) has_comment_above: bool,
}

/// The entries of a manifest in order.
///
/// The further lines of a value that spans several are passed over, as long
/// as they do not look like entries themselves.
pub(crate) fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut section = "";
    let mut has_comment_above = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.trim();
        } else if !line.starts_with('#')
            && let Some((key, value)) = line.split_once('=')
        {
            found.push(Entry {
                section,
                key: key.trim(),
                value: value.trim(),
                has_comment_above,
            });
        }
        has_comment_above = line.starts_with('#');
    }
    found
}

/// Whether `section` says `key = value`.
pub(crate) fn says(text: &str, section: &str, key: &str, value: &str) -> bool {
    entries(text)
        .iter()
        .any(|entry| entry.section == section && entry.key == key && entry.value == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[package]\nname = \"a\"\nedition.workspace = true\n\n[lints]\n# Shared.\nworkspace = true\n";

    #[test]
    fn an_entry_belongs_to_the_section_above_it() {
        assert!(says(TEXT, "lints", "workspace", "true"));
        assert!(says(TEXT, "package", "edition.workspace", "true"));
        assert!(!says(TEXT, "package", "workspace", "true"));
    }

    #[test]
    fn a_comment_counts_for_the_line_below_it_only() {
        let commented: Vec<bool> = entries(TEXT)
            .iter()
            .map(|entry| entry.has_comment_above)
            .collect();
        assert_eq!(commented, [false, false, true]);
    }
}
