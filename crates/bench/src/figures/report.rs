//! Everything that was measured, as Markdown and as a picture.

use crate::figures::chart::{self, Bar, Group, Kind};
use crate::figures::peers::{self, MAIN};
use crate::figures::ratios::{self, Contest};
use crate::figures::record::Record;
use crate::figures::table::{self, Counted};

/// Contests that the README's picture shows.
const TIMED_HEADLINES: &[&str] = &["echo-64x1", "visits"];

/// What is known of who cannot be measured by this program.
const NOTES: &str = "\
## Beside them: uSockets

uSockets, in C, is the fastest callback library that we know. Its code is not ours to ship, so it
is no column. It was counted by hand at commit 86097c49: its epoll loop without TLS, and an echo that
writes what came, sets no timeout and keeps nothing of what the kernel does not take. By the same
callgrind, pinning and load as the rows above (`load ADDR echo rounds 32 1`, 200 and 1000 of them)
that is 118 instructions a message with 32 connections, 7 with 16 in flight on each, and 156 with
one connection.
";

/// The page that is committed.
pub(super) fn page(record: &Record) -> String {
    format!(
        "<!-- Written by `cargo xtask figures --write`, from measured.toml. -->\n# What it costs\n\n\
         {}\n\n![The headlines as bars](figures.svg)\n\n{}{}\n{NOTES}",
        record.machine,
        counts(&record.counts),
        times(&record.contests),
    )
}

/// The picture that is committed: what has a headline.
pub(super) fn headlines(record: &Record) -> String {
    let counts: Vec<Counted> = record
        .counts
        .iter()
        .filter(|counted| counted.row.headline.is_some())
        .cloned()
        .collect();
    let contests: Vec<Contest> = record
        .contests
        .iter()
        .filter(|contest| TIMED_HEADLINES.contains(&contest.key))
        .cloned()
        .collect();
    picture(&counts, &contests)
}

const BEGIN: &str =
    "<!-- figures: from here to the end mark by `cargo xtask figures --write` -->\n";
const END: &str = "<!-- figures: end -->";

/// The README with its table of today.
pub(super) fn readme(text: &str, record: &Record) -> Result<String, String> {
    let (before, rest) = text
        .split_once(BEGIN)
        .ok_or("the README has no place for the figures")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("the README's place for the figures does not end")?;
    let table = table::render_short(&record.counts);
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

/// The table of counts, with what it says.
pub(super) fn counts(counted: &[Counted]) -> String {
    if counted.is_empty() {
        return String::new();
    }
    format!(
        "## Counts\n\nOutside the kernel; a run on the same machine with the same compiler gives \
         them again. `-`: it has no such program. \"Not available\": not there where this was \
         measured, or not measured yet. ✗: more than the goal.\n\n{}\n",
        table::render(counted)
    )
}

/// The table of times, with what it says and does not say.
pub(super) fn times(contests: &[Contest]) -> String {
    if contests.is_empty() {
        return String::new();
    }
    format!(
        "## CPU time of the server process, as a ratio\n\nOf the medians of rounds that took turns, \
         and in brackets the smallest and the largest ratio of two in the same round. \
         A ratio in italics is no difference: its rounds lie on both sides of 1.\n\n{}",
        ratios::render(contests)
    )
}

/// Bars for everything that has somebody to be compared with.
pub(super) fn picture(counted: &[Counted], contests: &[Contest]) -> String {
    let counts = counted.iter().filter_map(bars_of_counts);
    let times = contests.iter().filter_map(bars_of_times);
    let groups: Vec<Group> = counts.chain(times).collect();
    chart::render(&groups)
}

fn bars_of_counts(counted: &Counted) -> Option<Group> {
    let row = counted.row;
    let ours = peers::torsade_on(MAIN)?;
    let one = counted.of(ours.name).filter(|one| *one > 0.0)?;
    let bars: Vec<Bar> = table::columns()
        .filter_map(|peer| {
            Some(Bar {
                label: peer.title.to_owned(),
                ratio: counted.of(peer.name)? / one,
                spread: None,
                kind: kind(peer.name),
            })
        })
        .collect();
    (bars.len() > 1).then_some(Group {
        title: row.headline.unwrap_or(row.workload).to_owned(),
        one: format!("1 is {} {}", row.format(one), row.unit),
        bars,
    })
}

fn bars_of_times(contest: &Contest) -> Option<Group> {
    let base = contest.base()?;
    let name = |peer: &str| peers::by_name(peer).map_or("", |peer| peer.title);
    let bars = contest.standings.iter().map(|standing| {
        let ratio = standing.ratio;
        Bar {
            label: name(standing.peer).to_owned(),
            ratio: ratio.median,
            spread: Some((ratio.low, ratio.high)),
            kind: match ratio.is_a_difference() {
                true => kind(standing.peer),
                false => Kind::Undecided,
            },
        }
    });
    Some(Group {
        title: contest.workload.to_owned(),
        one: format!(
            "CPU time, 1 is {}'s {:.2} µs / {}",
            name(base.peer),
            base.nanos / 1000.0,
            contest.unit
        ),
        bars: bars.collect(),
    })
}

fn kind(peer: &str) -> Kind {
    match peers::by_name(peer).and_then(|peer| peer.driver()) {
        Some(_) => Kind::Ours,
        None => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::rows::ROWS;

    fn record() -> Record {
        let mut record = Record::default();
        let row = ROWS.iter().find(|row| row.key == "echo-32x1").unwrap();
        let values = vec![("tokio", 900.0), ("torsade-epoll", 300.0)];
        record.take_counts(vec![Counted { row, values }], false);
        record
    }

    #[test]
    fn the_readme_keeps_what_stands_round_its_table() {
        let old = format!("above\n{BEGIN}old\n{END}\nbelow\n");
        let new = readme(&old, &record()).unwrap();
        assert!(new.starts_with("above\n") && new.ends_with("\nbelow\n"));
        assert!(
            new.contains("| 300.0 ✗ | 900.0 |") && !new.contains("old"),
            "{new}"
        );
        assert_eq!(readme(&new, &record()).unwrap(), new);
        assert!(readme("no place", &record()).is_err());
    }

    #[test]
    fn torsade_on_its_main_driver_is_what_bars_are_measured_by() {
        let picture = headlines(&record());
        assert!(
            picture.contains(">3.00<") && picture.contains(">1.00<"),
            "{picture}"
        );
        assert!(picture.contains("1 is 300.0 instructions / message"));
    }
}
