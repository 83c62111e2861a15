//! What the command line may say.

use std::path::PathBuf;

/// What is to be done, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) what: What,
    /// Rows only whose key contains this.
    pub(super) only: String,
    /// Rounds of each timed workload; none leaves the times out.
    pub(super) rounds: usize,
    /// The Python that runs the peers written in it.
    pub(super) python: String,
    /// Where the tables and the picture go.
    pub(super) out: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Count and time everybody, and show it.
    Tables,
    /// Time everybody, and show it.
    Times,
    /// Count torsade and compare with the budget.
    Check,
    /// Count torsade and write the budget.
    Write,
}

pub(super) const USAGE: &str = "\
    [--only WORD] [--rounds N] [--no-counts] [--python PROGRAM] [--out FOLDER], \
    or --check [--only WORD], or --write [--only WORD]";

impl Options {
    /// Reads the words of a command line.
    pub(super) fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Self {
            what: What::Tables,
            only: String::new(),
            rounds: 10,
            python: "python3".to_owned(),
            out: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .ok_or_else(|| format!("{word} needs a value; options: {USAGE}"))
            };
            match word.as_str() {
                "--check" => options.what = What::Check,
                "--write" => options.what = What::Write,
                "--no-counts" => options.what = What::Times,
                "--only" => options.only.clone_from(value()?),
                "--python" => options.python.clone_from(value()?),
                "--out" => options.out = Some(value()?.into()),
                "--rounds" => {
                    let number = value()?;
                    options.rounds = number
                        .parse()
                        .map_err(|_| format!("{number:?} is no number of rounds"))?;
                }
                _ => return Err(format!("unknown option {word:?}; options: {USAGE}")),
            }
        }
        Ok(options)
    }

    /// Whether a row is asked for.
    pub(super) fn wants(&self, key: &str) -> bool {
        key.contains(&self.only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let options = parse("").unwrap();
        assert_eq!((options.what, options.rounds), (What::Tables, 10));
        assert!(options.wants("anything"));
    }

    #[test]
    fn every_option_is_taken() {
        let options = parse("--no-counts --rounds 3 --only echo --python py --out there").unwrap();
        assert_eq!((options.what, options.rounds), (What::Times, 3));
        assert!(options.wants("echo-1x1") && !options.wants("lines-32x1"));
        assert_eq!(options.python, "py");
        assert_eq!(options.out, Some("there".into()));
        assert_eq!(parse("--check").unwrap().what, What::Check);
        assert_eq!(parse("--write").unwrap().what, What::Write);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["--rounds", "--rounds many", "--unknown", "echo"] {
            assert!(parse(line).unwrap_err().contains("rounds"), "{line}");
        }
    }
}
