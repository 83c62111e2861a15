//! The budget: what each figure was when somebody last looked and agreed.

use std::fmt;

use crate::figures::goal::Goal;
use crate::figures::peers::MAIN;
use crate::figures::rows::{ROWS, Row};
use crate::figures::sections;
use crate::servers::driver;

/// A budget file as read.
#[derive(Debug)]
pub(super) struct Budget {
    /// The compiler that the instructions were counted with.
    pub(super) compiler: String,
    /// Driver, key, value.
    values: Vec<(String, String, f64)>,
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
    /// Above its goal, which the budget had reached.
    AboveGoal { value: String, goal: f64 },
    /// Nobody has agreed to a value yet.
    Unbudgeted { value: String },
}

impl Budget {
    /// Reads a budget file.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut compiler = None;
        let mut main = None;
        let mut values = Vec::new();
        for entry in sections::parse(text)? {
            match (entry.section, entry.key) {
                ("", "compiler") => compiler = Some(entry.value.to_owned()),
                ("", "driver") => main = Some(entry.value.to_owned()),
                (section, key) => {
                    let driver = if section.is_empty() { MAIN } else { section };
                    values.push((driver.to_owned(), key.to_owned(), entry.number()?));
                }
            }
        }
        match main {
            Some(main) if main == MAIN => {}
            main => {
                return Err(format!(
                    "the budget is one for the driver {}, and now {MAIN} is the main one: \
                     `cargo xtask figures --budget` writes it anew",
                    main.unwrap_or_default()
                ));
            }
        }
        Ok(Self {
            compiler: compiler.ok_or("the budget file names no compiler")?,
            values,
        })
    }

    /// Complaints about what no row has.
    pub(super) fn unknown_keys(&self, rows: &[Row]) -> Vec<String> {
        let is_known = |driver: &str, key: &str| {
            let mut rows = rows.iter();
            rows.any(|row| row.key == key && row.is_budgeted(driver))
        };
        self.values
            .iter()
            .filter(|(driver, key, _)| !is_known(driver, key))
            .map(|(driver, key, _)| format!("{key} on {driver}: budgeted, but nothing measures it"))
            .collect()
    }

    /// What that key was on that driver.
    pub(super) fn get(&self, driver: &str, key: &str) -> Option<f64> {
        let mut values = self.values.iter();
        values
            .find(|(on, known, _)| on == driver && known == key)
            .map(|(_, _, value)| *value)
    }

    /// Whether it holds anything for that driver.
    pub(super) fn knows(&self, driver: &str) -> bool {
        self.values.iter().any(|(on, _, _)| on == driver)
    }

    /// Compares a new value.
    pub(super) fn judge(&self, row: &Row, driver: &str, value: f64) -> Judgement {
        let shown = row.format(value);
        // Compared as it is written, so that exactly means what one reads.
        let value: f64 = shown.parse().unwrap_or(value);
        let Some(budget) = self.get(driver, row.key) else {
            return Judgement::Unbudgeted { value: shown };
        };
        // What has been reached is kept; what has not been is no reason to complain each time.
        let goal = row.goal.of(driver);
        let reached = goal.filter(|goal| Goal::is_met(budget, *goal));
        if let Some(goal) = reached.filter(|goal| !Goal::is_met(value, *goal)) {
            return Judgement::AboveGoal { value: shown, goal };
        }
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
                "{value}, better than its budget of {budget}: keep it with `--budget`"
            ),
            Self::Moved { value, budget } => write!(f, "{value}, budgeted {budget}"),
            Self::AboveGoal { value, goal } => {
                write!(f, "{value}, its goal of {goal} had been reached")
            }
            Self::Unbudgeted { value } => write!(f, "{value}, but it has no budget yet"),
        }
    }
}

/// The text of a new budget file with what `get` gives for a driver and a row.
pub(super) fn render(compiler: &str, get: impl Fn(&str, &Row) -> Option<f64>) -> String {
    let mut text = format!(
        "# What torsade costs, as `cargo xtask figures --check` expects it.\n\
         # Written by `cargo xtask figures --budget`; a change here is a change of\n\
         # what users pay, and belongs in the commit that causes it.\n\
         compiler = \"{compiler}\"\n\
         # On this driver, up to the section of another one.\n\
         driver = \"{MAIN}\"\n"
    );
    let others = driver::ALL.iter().filter(|driver| **driver != MAIN);
    for driver in [&MAIN].into_iter().chain(others) {
        let mut heading = (*driver != MAIN).then(|| format!("\n[{driver}]\n"));
        for row in ROWS.iter().filter(|row| row.is_budgeted(driver)) {
            let Some(value) = get(driver, row) else {
                continue;
            };
            text.push_str(&heading.take().unwrap_or_default());
            text.push_str(&format!(
                "\n# {}: {}\n{} = {}\n",
                row.workload,
                row.unit,
                row.key,
                row.format(value)
            ));
        }
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

    fn budget_of(driver: &str, key: &str, value: f64) -> Budget {
        let text = render("rustc 1", |on, row| {
            (on == driver && row.key == key).then_some(value)
        });
        Budget::parse(&text).unwrap()
    }

    fn judge(row: &Row, budget: f64, value: f64) -> Judgement {
        budget_of(MAIN, row.key, budget).judge(row, MAIN, value)
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
        let row = row("fanout-allocations");
        assert!(matches!(judge(row, 2.0, 2.001), Judgement::Kept { .. }));
        assert!(matches!(judge(row, 2.0, 1.99), Judgement::Moved { .. }));
        assert!(matches!(judge(row, 1.0, 1.01), Judgement::Moved { .. }));
    }

    #[test]
    fn a_goal_that_was_reached_is_not_lost_again() {
        let row = instructions();
        let goal = row.goal.of(MAIN).unwrap();
        let judgement = judge(row, goal, goal + 1.0);
        assert!(
            matches!(judgement, Judgement::AboveGoal { .. }),
            "{judgement:?}"
        );
        // What has not been reached yet may stay where it is, but not become worse.
        let far = 2.0 * goal;
        assert!(matches!(judge(row, far, far), Judgement::Kept { .. }));
        let worse = judge(row, far, 1.1 * far);
        assert!(matches!(worse, Judgement::Moved { .. }), "{worse:?}");
    }

    #[test]
    fn each_driver_has_its_own_budget() {
        let row = instructions();
        let budget = budget_of("io_uring", row.key, 100.0);
        assert!(budget.knows("io_uring") && !budget.knows(MAIN));
        assert!(!budget.judge(row, "io_uring", 101.0).is_bad());
        let other = budget.judge(row, MAIN, 101.0);
        assert!(matches!(other, Judgement::Unbudgeted { .. }), "{other:?}");
        assert!(budget.unknown_keys(ROWS).is_empty());
    }

    #[test]
    fn what_is_new_or_gone_is_said() {
        let text = format!("compiler = \"rustc 1\"\ndriver = \"{MAIN}\"\nold = 1.0\n");
        let budget = Budget::parse(&text).unwrap();
        let judgement = budget.judge(instructions(), MAIN, 1.0);
        assert_eq!(judgement.to_string(), "1.0, but it has no budget yet");
        assert!(judgement.is_bad());
        let gone = budget.unknown_keys(ROWS);
        assert_eq!(
            gone,
            [format!("old on {MAIN}: budgeted, but nothing measures it")]
        );
    }

    #[test]
    fn what_moved_is_said_in_numbers() {
        let judgement = judge(instructions(), 100.0, 110.04);
        assert_eq!(judgement.to_string(), "110.0, budgeted 100.0");
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused() {
        let begun = format!("driver = \"{MAIN}\"\n");
        assert!(Budget::parse(&format!("{begun}compiler = \"x\"\nkey = much\n")).is_err());
        assert!(Budget::parse(&format!("{begun}key = 1.0\n")).is_err());
        let other = Budget::parse("compiler = \"x\"\ndriver = \"other\"\n").unwrap_err();
        assert!(other.contains("the driver other"), "{other}");
    }
}
