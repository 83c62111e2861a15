//! The budget: what each figure was when somebody last looked and agreed.

use std::fmt;

use crate::figures::rows::Row;

/// A budget file as read: `key = value` lines, a part of TOML.
#[derive(Debug)]
pub(super) struct Budget {
    /// The compiler that the instructions were counted with.
    pub(super) compiler: String,
    values: Vec<(String, f64)>,
}

/// How a figure stands to its budget.
#[derive(Debug, PartialEq)]
pub(super) enum Judgement {
    /// Within the tolerance.
    Kept { value: String },
    /// Better than the budget by more than the tolerance.
    Better { value: String, budget: String },
    /// Worse than the budget by more than the tolerance, or not exactly it
    /// where it has to be.
    Moved { value: String, budget: String },
    /// Above what it may ever be.
    AboveGoal { value: String, goal: f64 },
    /// Nobody has agreed to a value yet.
    Unbudgeted { value: String },
}

impl Budget {
    /// Reads a budget file.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut compiler = None;
        let mut values = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = || format!("the budget file says {line:?}");
            let (key, value) = line.split_once(" = ").ok_or_else(wrong)?;
            if key == "compiler" {
                compiler = Some(value.trim_matches('"').to_owned());
            } else {
                values.push((key.to_owned(), value.parse().map_err(|_| wrong())?));
            }
        }
        Ok(Self {
            compiler: compiler.ok_or("the budget file names no compiler")?,
            values,
        })
    }

    /// Complaints about keys that no row has.
    pub(super) fn unknown_keys(&self, known: impl Iterator<Item = &'static str>) -> Vec<String> {
        let known: Vec<&str> = known.collect();
        self.values
            .iter()
            .filter(|(key, _)| !known.contains(&key.as_str()))
            .map(|(key, _)| format!("{key}: budgeted, but nothing measures it"))
            .collect()
    }

    /// What that key was.
    pub(super) fn get(&self, key: &str) -> Option<f64> {
        let (_, value) = self.values.iter().find(|(known, _)| known == key)?;
        Some(*value)
    }

    /// Compares a new value.
    pub(super) fn judge(&self, row: &Row, value: f64) -> Judgement {
        let shown = row.format(value);
        // Compared as it is written, so that exactly means what one reads.
        let value: f64 = shown.parse().unwrap_or(value);
        if let Some(goal) = row.goal.filter(|goal| value > *goal) {
            return Judgement::AboveGoal { value: shown, goal };
        }
        let Some(budget) = self.get(row.key) else {
            return Judgement::Unbudgeted { value: shown };
        };
        let room = budget * row.tolerance();
        let is_exact = row.tolerance() == 0.0;
        let written = row.format(budget);
        if value > budget + room || (is_exact && value < budget) {
            Judgement::Moved {
                value: shown,
                budget: written,
            }
        } else if value < budget - room {
            Judgement::Better {
                value: shown,
                budget: written,
            }
        } else {
            Judgement::Kept { value: shown }
        }
    }
}

impl Judgement {
    /// Whether a check has to fail.
    pub(super) fn is_bad(&self) -> bool {
        match self {
            Self::Kept { .. } | Self::Better { .. } => false,
            Self::Moved { .. } | Self::AboveGoal { .. } | Self::Unbudgeted { .. } => true,
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept { value } => write!(f, "{value}"),
            Self::Better { value, budget } => write!(
                f,
                "{value}, better than its budget of {budget}: keep it with `--write`"
            ),
            Self::Moved { value, budget } => write!(f, "{value}, budgeted {budget}"),
            Self::AboveGoal { value, goal } => write!(f, "{value}, at most {goal} is allowed"),
            Self::Unbudgeted { value } => write!(f, "{value}, but it has no budget yet"),
        }
    }
}

/// The text of a new budget file.
pub(super) fn render(compiler: &str, values: &[(&Row, f64)]) -> String {
    let mut text = format!(
        "# What torsade costs, as `cargo xtask figures --check` expects it.\n\
         # Written by `cargo xtask figures --write`; a change here is a change of\n\
         # what users pay, and belongs in the commit that causes it.\n\
         compiler = \"{compiler}\"\n"
    );
    for (row, value) in values {
        text.push_str(&format!(
            "\n# {}: {}\n{} = {}\n",
            row.workload,
            row.unit,
            row.key,
            row.format(*value)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::rows::ROWS;

    /// One of the real rows that have an agreed goal.
    fn row(key: &str) -> &'static Row {
        ROWS.iter().find(|row| row.key == key).unwrap()
    }

    fn instructions() -> &'static Row {
        row("echo-32x1")
    }

    fn judge(row: &Row, budget: f64, value: f64) -> Judgement {
        let text = render("rustc 1", &[(row, budget)]);
        Budget::parse(&text).unwrap().judge(row, value)
    }

    #[test]
    fn instructions_may_move_by_two_percent() {
        let row = instructions();
        assert!(matches!(judge(row, 100.0, 102.0), Judgement::Kept { .. }));
        assert!(matches!(judge(row, 100.0, 98.0), Judgement::Kept { .. }));
        assert!(matches!(judge(row, 100.0, 102.1), Judgement::Moved { .. }));
        assert!(matches!(judge(row, 100.0, 97.9), Judgement::Better { .. }));
    }

    #[test]
    fn allocations_may_not_move_at_all() {
        let row = row("echo-allocations-connection");
        assert!(matches!(judge(row, 2.0, 2.001), Judgement::Kept { .. }));
        assert!(matches!(judge(row, 2.0, 1.99), Judgement::Moved { .. }));
        assert!(matches!(judge(row, 1.0, 1.01), Judgement::Moved { .. }));
    }

    #[test]
    fn a_goal_stands_above_the_budget() {
        let row = instructions();
        let goal = row.goal.unwrap();
        let judgement = judge(row, goal, goal + 1.0);
        assert!(
            matches!(judgement, Judgement::AboveGoal { .. }),
            "{judgement:?}"
        );
    }

    #[test]
    fn what_is_new_or_gone_is_said() {
        let row = instructions();
        let budget = Budget::parse("compiler = \"rustc 1\"\nold = 1.0\n").unwrap();
        let judgement = budget.judge(row, 1.0);
        assert_eq!(judgement.to_string(), "1.0, but it has no budget yet");
        assert!(judgement.is_bad());
        let gone = budget.unknown_keys([row.key].into_iter());
        assert_eq!(gone, ["old: budgeted, but nothing measures it"]);
    }

    #[test]
    fn what_moved_is_said_in_numbers() {
        let judgement = judge(instructions(), 100.0, 110.04);
        assert_eq!(judgement.to_string(), "110.0, budgeted 100.0");
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused() {
        assert!(Budget::parse("compiler = \"x\"\nkey = much\n").is_err());
        assert!(Budget::parse("key = 1.0\n").is_err());
    }
}
