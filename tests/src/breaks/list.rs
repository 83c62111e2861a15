//! What `breaks.txt` says.

/// One way to break the code.
#[derive(Debug, Default)]
pub(crate) struct Break {
    /// In words.
    pub(crate) what: String,
    /// From the root of the workspace.
    pub(crate) file: String,
    /// The lines to replace, without the space around them.
    old: Vec<String>,
    new: Vec<String>,
    /// The cells that must fail.
    pub(crate) cells: Vec<String>,
}

impl Break {
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.what.contains(text)
            || self.file.contains(text)
            || self.cells.iter().any(|cell| cell.contains(text))
    }

    /// The source with this break in it.
    ///
    /// Lines are compared without the space around them, so that a break survives a change of
    /// indentation.
    pub(crate) fn apply(&self, source: &str) -> Result<String, String> {
        let lines: Vec<&str> = source.lines().collect();
        let mut places = lines
            .windows(self.old.len())
            .enumerate()
            .filter(|(_, window)| window.iter().zip(&self.old).all(|(a, b)| a.trim() == b));
        let problem =
            |what: &str| format!("{}: the lines of “{}” are {what}", self.file, self.what);
        let (start, _) = places.next().ok_or_else(|| problem("not there"))?;
        if places.next().is_some() {
            return Err(problem("there more than once"));
        }
        let mut broken: Vec<&str> = lines[..start].to_vec();
        broken.extend(self.new.iter().map(String::as_str));
        broken.extend(&lines[start + self.old.len()..]);
        Ok(broken.join("\n") + "\n")
    }
}

/// Read the list: entries with blank lines between them, comments behind `#`.
pub(crate) fn parse(text: &str) -> Result<Vec<Break>, String> {
    let mut breaks = Vec::new();
    let mut current = Break::default();
    for (number, line) in text.lines().chain([""]).enumerate() {
        let line = line.trim();
        if let Some(what) = line.strip_prefix("break:") {
            current.what = what.trim().to_owned();
        } else if let Some(file) = line.strip_prefix("file:") {
            current.file = file.trim().to_owned();
        } else if let Some(cells) = line.strip_prefix("cells:") {
            current
                .cells
                .extend(cells.split_whitespace().map(str::to_owned));
        } else if let Some(old) = line.strip_prefix('-') {
            current.old.push(old.trim().to_owned());
        } else if let Some(new) = line.strip_prefix('+') {
            current.new.push(new.trim().to_owned());
        } else if line.is_empty() {
            let done = std::mem::take(&mut current);
            if !done.what.is_empty() {
                breaks.push(done);
            }
        } else if !line.starts_with('#') {
            return Err(format!("breaks.txt:{}: what is “{line}”?", number + 1));
        }
    }
    Ok(breaks)
}

/// Whether every entry is whole and names cells that exist.
pub(crate) fn check(breaks: &[Break], known: &[String]) -> Result<(), String> {
    for one in breaks {
        if one.file.is_empty() || one.old.is_empty() {
            return Err(format!("“{}” does not say what to replace where", one.what));
        }
        if let Some(cell) = one.cells.iter().find(|cell| !known.contains(cell)) {
            return Err(format!("“{}”: there is no cell {cell}", one.what));
        }
    }
    Ok(())
}

/// The cells that no break is known for.
pub(crate) fn without<'a>(
    breaks: &'a [Break],
    known: &'a [String],
) -> impl Iterator<Item = &'a String> {
    known
        .iter()
        .filter(|cell| !breaks.iter().any(|one| one.cells.contains(cell)))
}
