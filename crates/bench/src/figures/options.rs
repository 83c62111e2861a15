//! What the command line may say.

use std::path::PathBuf;

/// What is to be done, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) what: What,
    /// Rows only whose key contains this.
    pub(super) only: String,
    /// Whether counts are taken.
    pub(super) counts: bool,
    /// Rounds of each timed workload if it is said; none at all leaves the times out.
    pub(super) rounds: Option<usize>,
    /// The Python that runs the peers written in it.
    pub(super) python: String,
    /// Where the tables and the picture go.
    pub(super) out: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Measure everybody and show it.
    Show,
    /// Count torsade and compare with the budget.
    Check,
    /// Count torsade and write the budget.
    Budget,
    /// Measure everybody and write the budget, the record and the pages.
    Write,
    /// Write the pages anew from the record.
    Pages,
}

pub(super) const USAGE: &str = "\
    [--only WORD] [--rounds N] [--no-counts] [--python PROGRAM] [--out FOLDER], \
    or --write and the same, or --check [--only WORD], or --budget [--only WORD], or --pages";

impl Options {
    /// Reads the words of a command line.
    pub(super) fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Self {
            what: What::Show,
            only: String::new(),
            counts: true,
            rounds: None,
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
                "--budget" => options.what = What::Budget,
                "--pages" => options.what = What::Pages,
                "--no-counts" => options.counts = false,
                "--only" => options.only.clone_from(value()?),
                "--python" => options.python.clone_from(value()?),
                "--out" => options.out = Some(value()?.into()),
                "--rounds" => {
                    let number = value()?;
                    let rounds = number.parse();
                    let rounds =
                        rounds.map_err(|_| format!("{number:?} is no number of rounds"))?;
                    options.rounds = Some(rounds);
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
        assert_eq!((options.what, options.rounds), (What::Show, None));
        assert!(options.wants("anything"));
    }

    #[test]
    fn every_option_is_taken() {
        let options = parse("--no-counts --rounds 3 --only echo --python py --out there").unwrap();
        assert_eq!((options.counts, options.rounds), (false, Some(3)));
        assert!(options.wants("echo-1x1") && !options.wants("lines-32x1"));
        assert_eq!(options.python, "py");
        assert_eq!(options.out, Some("there".into()));
        assert_eq!(parse("--check").unwrap().what, What::Check);
        assert_eq!(parse("--write").unwrap().what, What::Write);
        assert_eq!(parse("--budget").unwrap().what, What::Budget);
        assert_eq!(parse("--pages").unwrap().what, What::Pages);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["--rounds", "--rounds many", "--unknown", "echo"] {
            assert!(parse(line).unwrap_err().contains("rounds"), "{line}");
        }
    }
}
