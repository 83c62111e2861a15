//! The tables of the manual, and the list of names that they must have.

use std::collections::BTreeSet;

/// A row of a table: some names of the other framework, and what became of them.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) names: Vec<String>,
    pub(crate) kind: Kind,
    /// Pages and their headings that the row links.
    pub(crate) headings: Vec<(String, String)>,
}

/// What became of a name, by the second cell of its row.
#[derive(Debug)]
pub(crate) enum Kind {
    /// These items, by their last one or two words: `Net::listen`, `factory`.
    Here(Vec<String>),
    /// A heading says what to do.
    Otherwise,
    /// And why.
    Later(String),
    /// And why.
    Never(String),
    Odd(String),
}

/// The names of a list: words, in the part that this heading begins.
pub(crate) fn wanted(text: &str, list: &str) -> Vec<String> {
    let heading = format!("[{list}]");
    text.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}

/// The rows of a page whose first cell has names, and whose second one is about them. A table of
/// notes on a program, whose rows begin with numbers, is none.
pub(crate) fn rows(page: &str) -> Vec<Row> {
    page.lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .filter_map(|line| {
            let mut cells = line.split(" | ");
            let (names, cell) = (cells.next()?, cells.next()?);
            let names = names.split("`, `").map(|name| name.trim_end_matches('`'));
            Some(Row {
                names: names.map(str::to_owned).collect(),
                kind: kind(cell.trim()),
                headings: targets(line).iter().filter_map(|to| heading(to)).collect(),
            })
        })
        .collect()
}

fn kind(cell: &str) -> Kind {
    if let Some(reason) = cell.strip_prefix("later:") {
        return Kind::Later(reason.trim().to_owned());
    } else if let Some(reason) = cell.strip_prefix("never:") {
        return Kind::Never(reason.trim().to_owned());
    }
    let targets = targets(cell);
    let items: Vec<String> = targets.iter().filter_map(|to| item(to)).collect();
    match (items.is_empty(), targets.is_empty()) {
        (false, _) => Kind::Here(items),
        (true, false) => Kind::Otherwise,
        (true, true) => Kind::Odd(cell.to_owned()),
    }
}

/// What is linked, as `[text](target)` or `[text][target]`.
fn targets(text: &str) -> Vec<&str> {
    let links = text.split("](").skip(1).map(|rest| (rest, ')'));
    let labels = text.split("][").skip(1).map(|rest| (rest, ']'));
    links
        .chain(labels)
        .filter_map(|(rest, end)| rest.split(end).next())
        // `crate::factory()` is the function, and has a parenthesis of its own.
        .map(|target| target.trim_end_matches('('))
        .collect()
}

fn item(target: &str) -> Option<String> {
    let path = target.strip_prefix("crate::").or_else(|| {
        let in_the_fakes = target.starts_with("testing::");
        in_the_fakes.then_some(target)
    })?;
    let words: Vec<&str> = path.split("::").collect();
    let from = match words[..] {
        [.., owner, _] if owner.starts_with(char::is_uppercase) => words.len() - 2,
        _ => words.len() - 1,
    };
    Some(words[from..].join("::"))
}

fn heading(target: &str) -> Option<(String, String)> {
    let (page, anchor) = target.strip_prefix("super::")?.split_once('#')?;
    Some((page.to_owned(), anchor.to_owned()))
}

/// The anchors of a page's headings, as rustdoc makes them.
pub(crate) fn anchors(page: &str) -> BTreeSet<String> {
    let mut in_code = false;
    let mut anchors = BTreeSet::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("//! ")) {
        in_code ^= line.starts_with("```");
        let text = line.trim_start_matches('#');
        if in_code || text.len() == line.len() {
            continue;
        }
        let known = text.trim().chars().filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            _ => c.is_alphanumeric().then(|| c.to_ascii_lowercase()),
        });
        anchors.insert(known.collect());
    }
    anchors
}
