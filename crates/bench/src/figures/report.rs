//! Everything that was measured, as Markdown and as a picture.

use crate::figures::chart::{self, Bar, Group, Kind};
use crate::figures::peers;
use crate::figures::ratios::{self, Contest};
use crate::figures::table::{self, Counted};

/// The table of counts, with what it says.
pub(super) fn counts(counted: &[Counted]) -> String {
    if counted.is_empty() {
        return String::new();
    }
    format!(
        "## Counts\n\nOutside the kernel; a run on the same machine with the same compiler gives \
         them again.\n\n{}\n",
        table::render(counted)
    )
}

/// The table of times, with what it says and does not say.
pub(super) fn times(contests: &[Contest], rounds: usize) -> String {
    if contests.is_empty() {
        return String::new();
    }
    format!(
        "## CPU time of the server process, as a ratio\n\nOf the medians of {rounds} rounds that \
         took turns, and in brackets the smallest and the largest ratio of two in the same round. \
         A ratio in italics is no difference: its rounds lie on both sides of 1.\n\n{}",
        ratios::render(contests)
    )
}

/// Bars for everything that has somebody to be compared with.
pub(super) fn picture(counted: &[Counted], contests: &[Contest]) -> String {
    let counts = counted.iter().filter_map(|(row, values)| {
        let named: Vec<_> = peers::COUNTED.iter().zip(values).collect();
        let (_, ours) = named.iter().find(|(peer, _)| **peer == peers::OURS)?;
        let ours = ours.filter(|ours| *ours > 0.0)?;
        let bars: Vec<Bar> = named
            .iter()
            .filter_map(|(peer, value)| {
                Some(Bar {
                    label: peers::title(peer).to_owned(),
                    ratio: (**value)? / ours,
                    spread: None,
                    kind: kind(peer),
                })
            })
            .collect();
        let title = format!(
            "{}: 1 is torsade's {} {}",
            row.workload,
            row.format(ours),
            row.unit
        );
        (bars.len() > 1).then_some(Group { title, bars })
    });
    let times = contests.iter().filter_map(|contest| {
        let base = contest.base()?;
        let bars = contest.series.iter().map(|series| {
            let ratio = series.to(base);
            Bar {
                label: peers::title(series.peer).to_owned(),
                ratio: ratio.median,
                spread: Some((ratio.low, ratio.high)),
                kind: match ratio.is_a_difference() {
                    true => kind(series.peer),
                    false => Kind::Undecided,
                },
            }
        });
        let title = format!(
            "{}: CPU time, 1 is {}'s {:.2} µs / {}",
            contest.workload,
            peers::title(base.peer),
            base.median() / 1000.0,
            contest.unit
        );
        Some(Group {
            title,
            bars: bars.collect(),
        })
    });
    let groups: Vec<Group> = counts.chain(times).collect();
    chart::render(&groups)
}

fn kind(peer: &str) -> Kind {
    if peer == peers::OURS {
        Kind::Ours
    } else {
        Kind::Other
    }
}
