//! Rounds as ratios, and how far they spread.

use std::fmt;

use crate::figures::peers::{self, Peer};
use crate::figures::times;

/// Nanoseconds a unit of one peer, round by round.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) peer: &'static str,
    pub(super) nanos: Vec<f64>,
}

/// How a peer's rounds came out beside those of the base.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    pub(super) peer: &'static str,
    /// The median of its own rounds: nanoseconds a unit.
    pub(super) nanos: f64,
    pub(super) ratio: Ratio,
}

/// Everybody's rounds under one workload.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Contest {
    pub(super) key: &'static str,
    pub(super) workload: &'static str,
    pub(super) unit: &'static str,
    pub(super) rounds: usize,
    /// The one that all others are compared with.
    pub(super) base: &'static str,
    pub(super) standings: Vec<Standing>,
}

/// One peer beside another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ratio {
    /// The ratio of the medians.
    pub(super) median: f64,
    /// The smallest and the largest ratio of two in the same round; for the
    /// one that all are compared with, of a round to its median.
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Series {
    pub(super) fn of(peer: &'static str) -> Self {
        Self {
            peer,
            nanos: Vec::new(),
        }
    }

    /// The median of all rounds.
    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.nanos.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted[..] {
            [] => f64::NAN,
            _ if sorted.len() % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// How this peer stands to the base.
    pub(super) fn to(&self, base: &Self) -> Ratio {
        let own = self.peer == base.peer;
        let bases = base.nanos.iter().map(|nanos| match own {
            true => base.median(),
            false => *nanos,
        });
        let rounds = self.nanos.iter().zip(bases).map(|(one, base)| one / base);
        Ratio {
            median: self.median() / base.median(),
            low: rounds.clone().fold(f64::INFINITY, f64::min),
            high: rounds.fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

impl Contest {
    /// The one that all others are compared with, if it took part.
    pub(super) fn base(&self) -> Option<&Standing> {
        self.standing(self.base)
    }

    /// How that peer stands, if it took part.
    pub(super) fn standing(&self, peer: &str) -> Option<&Standing> {
        let mut standings = self.standings.iter();
        standings.find(|standing| standing.peer == peer)
    }
}

/// All series beside that of the base, or of tokio where the base did not take part.
pub(super) fn compare(series: &[Series], base: &'static str) -> (&'static str, Vec<Standing>) {
    let of = |peer: &str| series.iter().find(|series| series.peer == peer);
    let Some(base) = of(base).or_else(|| of("tokio")) else {
        return (base, Vec::new());
    };
    let standings = series.iter().map(|one| Standing {
        peer: one.peer,
        nanos: one.median(),
        ratio: one.to(base),
    });
    (base.peer, standings.collect())
}

impl Ratio {
    /// Whether every round said the same: all above 1, or all below.
    pub(super) fn is_a_difference(self) -> bool {
        self.low > 1.0 || self.high < 1.0
    }
}

impl fmt::Display for Ratio {
    /// In italics where the spread does not carry a difference.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, low, high } = self;
        let mark = if self.is_a_difference() { "" } else { "*" };
        write!(f, "{mark}{median:.2}{mark} ({low:.2} to {high:.2})")
    }
}

/// The contests as a Markdown table, a column for each peer that took part in any and one for
/// those of torsade that could not.
pub(super) fn render(contests: &[Contest]) -> String {
    let took_part = |peer: &&Peer| {
        let mut contests = contests.iter();
        peer.driver().is_some() || contests.any(|one| one.standing(peer.name).is_some())
    };
    let columns: Vec<&Peer> = peers::ALL.iter().filter(took_part).collect();
    let mut text = String::from("| workload | rounds | 1.00 is |");
    let mut rule = String::from("|---|--:|---|");
    for peer in &columns {
        text.push_str(&format!(" {} |", peer.title));
        rule.push_str("--:|");
    }
    text.push_str(&format!("\n{rule}\n"));
    for contest in contests {
        let base = contest.base().map_or_else(String::new, |base| {
            let micros = base.nanos / 1000.0;
            let name = peers::by_name(base.peer).map_or(base.peer, |peer| peer.title);
            format!("{name}, {micros:.2} µs / {}", contest.unit)
        });
        text.push_str(&format!(
            "| {} | {} | {base} |",
            contest.workload, contest.rounds
        ));
        for peer in &columns {
            let cell = match contest.standing(peer.name) {
                Some(standing) => standing.ratio.to_string(),
                None if times::is_done_by(contest.key, peer) => "not available".to_owned(),
                None => "-".to_owned(),
            };
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(peer: &'static str, nanos: &[f64]) -> Series {
        Series {
            peer,
            nanos: nanos.to_vec(),
        }
    }

    #[test]
    fn the_ratio_is_that_of_the_medians_and_the_spread_that_of_the_rounds() {
        let base = series("raw", &[100.0, 200.0, 110.0]);
        let other = series("tokio", &[150.0, 240.0, 220.0]);
        let ratio = other.to(&base);
        assert_eq!(ratio.median, 2.0);
        assert_eq!((ratio.low, ratio.high), (1.2, 2.0));
        assert_eq!(ratio.to_string(), "2.00 (1.20 to 2.00)");
    }

    #[test]
    fn what_the_spread_does_not_carry_is_in_italics() {
        let base = series("raw", &[100.0, 100.0]);
        let other = series("tokio", &[90.0, 130.0]);
        assert_eq!(other.to(&base).to_string(), "*1.10* (0.90 to 1.30)");
    }

    #[test]
    fn the_base_is_spread_round_its_own_median() {
        let base = series("raw", &[90.0, 100.0, 120.0]);
        assert_eq!(base.to(&base).to_string(), "*1.00* (0.90 to 1.20)");
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(series("raw", &[4.0, 1.0, 2.0, 3.0]).median(), 2.5);
    }

    fn contest(key: &'static str, base: &'static str, series: &[Series]) -> Contest {
        let (base, standings) = compare(series, base);
        Contest {
            key,
            workload: key,
            unit: "message",
            rounds: 1,
            base,
            standings,
        }
    }

    #[test]
    fn who_did_not_take_part_has_no_ratio() {
        let contests = [
            contest(
                "echo-1x1",
                "raw",
                &[
                    series("raw", &[1000.0]),
                    series("torsade-polling", &[1100.0]),
                ],
            ),
            contest(
                "timers-set",
                "raw",
                &[
                    series("tokio", &[2000.0]),
                    series("torsade-epoll", &[1000.0]),
                ],
            ),
        ];
        let text = render(&contests);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "| workload | rounds | 1.00 is | raw epoll | tokio | torsade, polling \
             | torsade, epoll | torsade, io_uring |"
        );
        assert!(lines[2].contains("raw epoll, 1.00 µs / message"));
        assert!(lines[2].ends_with(" not available | not available |"));
        assert!(lines[3].starts_with("| timers-set | 1 | tokio, 2.00 µs"));
        assert!(lines[3].ends_with(" | - | *1.00* (1.00 to 1.00) | - | 0.50 (0.50 to 0.50) | - |"));
    }
}
