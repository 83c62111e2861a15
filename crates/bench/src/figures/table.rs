//! The counts as a Markdown table.

use crate::figures::goal::Goal;
use crate::figures::peers::{self, Peer};
use crate::figures::rows::Row;

/// A row with the value of each peer that has one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counted {
    pub(super) row: &'static Row,
    pub(super) values: Vec<(&'static str, f64)>,
}

impl Counted {
    /// The value of that peer.
    pub(super) fn of(&self, peer: &str) -> Option<f64> {
        let mut values = self.values.iter();
        values
            .find(|(known, _)| *known == peer)
            .map(|(_, value)| *value)
    }

    /// What the goal comes to for that peer, if it is torsade.
    fn goal_of(&self, peer: &Peer) -> Option<f64> {
        self.row.goal.beside(self.of("tokio"), peer.driver()?)
    }

    /// What the table says of that peer.
    pub(super) fn cell(&self, peer: &Peer) -> String {
        let Some(value) = self.of(peer.name) else {
            let missing = if self.row.is_done_by(peer) {
                "not available"
            } else {
                "-"
            };
            return missing.to_owned();
        };
        let shown = self.row.format(value);
        let is_met = |goal| Goal::is_met(value, goal);
        if self.goal_of(peer).is_none_or(is_met) {
            shown
        } else {
            format!("{shown} ✗")
        }
    }
}

/// The columns of counts.
pub(super) fn columns() -> impl Iterator<Item = &'static Peer> {
    peers::ALL.iter().filter(|peer| !peer.is_timed_only())
}

/// The table of these rows.
pub(super) fn render(counted: &[Counted]) -> String {
    let mut text = String::from("| workload | unit |");
    let mut rule = String::from("|---|---|");
    for peer in columns() {
        text.push_str(&format!(" {} |", peer.title));
        rule.push_str("--:|");
    }
    text.push_str(&format!(" goal |\n{rule}--:|\n"));
    for counted in counted {
        let row = counted.row;
        text.push_str(&format!("| {} | {} |", row.workload, row.unit));
        for peer in columns() {
            text.push_str(&format!(" {} |", counted.cell(peer)));
        }
        text.push_str(&format!(" {} |\n", row.goal));
    }
    text
}

/// The short table, of the rows that have a headline: torsade on its drivers and some peers.
pub(super) fn render_short(counted: &[Counted]) -> String {
    let columns: Vec<&Peer> = ["torsade-polling", "torsade-epoll", "torsade-io_uring"]
        .into_iter()
        .chain(["libuv", "tokio", "compio", "raw"])
        .filter_map(peers::by_name)
        .filter(|peer| counted.iter().any(|row| row.of(peer.name).is_some()))
        .collect();
    let mut text = String::from("| counted | unit |");
    let mut rule = String::from("|---|---|");
    for peer in &columns {
        text.push_str(&format!(" {} |", peer.title));
        rule.push_str("--:|");
    }
    text.push_str(&format!("\n{rule}\n"));
    for counted in counted {
        let Some(headline) = counted.row.headline else {
            continue;
        };
        text.push_str(&format!("| {headline} | {} |", counted.row.unit));
        for peer in &columns {
            text.push_str(&format!(" {} |", counted.cell(peer)));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::rows::ROWS;

    fn counted(key: &str, values: &[(&'static str, f64)]) -> Counted {
        Counted {
            row: ROWS.iter().find(|row| row.key == key).unwrap(),
            values: values.to_vec(),
        }
    }

    fn cell(counted: &Counted, peer: &str) -> String {
        counted.cell(peers::by_name(peer).unwrap())
    }

    #[test]
    fn every_line_has_as_many_cells_as_the_heading() {
        let counted: Vec<_> = ROWS
            .iter()
            .map(|row| Counted {
                row,
                values: Vec::new(),
            })
            .collect();
        let text = render(&counted);
        let cells: Vec<usize> = text.lines().map(|line| line.matches('|').count()).collect();
        assert_eq!(cells, vec![columns().count() + 4; ROWS.len() + 2]);
    }

    #[test]
    fn who_is_not_here_is_told_from_who_cannot_do_it() {
        let lines = counted("lines-32x1", &[("tokio", 5.0)]);
        assert_eq!(cell(&lines, "tokio"), "5.0");
        assert_eq!(cell(&lines, "libuv"), "not available");
        assert_eq!(cell(&lines, "mio"), "-");
    }

    #[test]
    fn what_misses_its_goal_is_marked() {
        let echo = counted(
            "echo-32x1",
            &[("torsade-epoll", 163.0), ("torsade-polling", 170.0)],
        );
        assert_eq!(cell(&echo, "torsade-epoll"), "163.0");
        assert_eq!(cell(&echo, "torsade-polling"), "170.0 ✗");
        let timers = counted(
            "timers-set",
            &[("tokio", 900.0), ("torsade-polling", 310.0)],
        );
        assert_eq!(cell(&timers, "torsade-polling"), "310.0 ✗");
        assert_eq!(cell(&timers, "tokio"), "900.0");
    }

    #[test]
    fn the_short_table_has_the_columns_that_somebody_stands_in() {
        let short = render_short(&[
            counted("echo-32x1", &[("tokio", 9.0), ("torsade-polling", 4.0)]),
            counted("visits", &[("raw", 1.0)]),
        ]);
        let lines: Vec<&str> = short.lines().collect();
        assert_eq!(
            lines[0],
            "| counted | unit | torsade, polling | tokio | raw epoll |"
        );
        assert_eq!(lines.len(), 3, "{short}");
        assert!(
            lines[2].ends_with("| 4.0 | 9.0 | not available |"),
            "{short}"
        );
    }
}
