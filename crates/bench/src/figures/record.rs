//! What was measured last, of everybody, as the tables show it.
//!
//! It is kept so that one row can be measured anew and the tables still show all of them.

use crate::figures::peers;
use crate::figures::ratios::{Contest, Ratio, Standing};
use crate::figures::rows::ROWS;
use crate::figures::sections::{self, Entry};
use crate::figures::table::Counted;
use crate::figures::times;

/// The file as read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Record {
    /// Where and with which compiler it was written last.
    pub(super) machine: String,
    pub(super) counts: Vec<Counted>,
    pub(super) contests: Vec<Contest>,
}

const COUNTS: &str = "counts.";
const TIMES: &str = "times.";

impl Record {
    /// Reads the text of a record. What nobody measures any more is left out.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut record = Self::default();
        for entry in sections::parse(text)? {
            if let Some(peer) = entry.section.strip_prefix(COUNTS) {
                record.read_count(peer, &entry)?;
            } else if let Some(key) = entry.section.strip_prefix(TIMES) {
                record.read_time(key, &entry)?;
            } else if entry.key == "machine" {
                record.machine = entry.value.to_owned();
            }
        }
        record.sort();
        Ok(record)
    }

    fn read_count(&mut self, peer: &str, entry: &Entry<'_>) -> Result<(), String> {
        let row = ROWS.iter().find(|row| row.key == entry.key);
        if let (Some(row), Some(peer)) = (row, peers::by_name(peer)) {
            let value = (peer.name, entry.number()?);
            match self.counts.iter_mut().find(|one| one.row.key == row.key) {
                Some(counted) => counted.values.push(value),
                None => self.counts.push(Counted {
                    row,
                    values: vec![value],
                }),
            }
        }
        Ok(())
    }

    fn read_time(&mut self, key: &str, entry: &Entry<'_>) -> Result<(), String> {
        let Some(row) = times::ROWS.iter().find(|row| row.key() == key) else {
            return Ok(());
        };
        let contest = match self.contests.iter().position(|one| one.key == row.key()) {
            Some(index) => &mut self.contests[index],
            None => {
                self.contests.push(row.contest(0, "", Vec::new()));
                let last = self.contests.len() - 1;
                &mut self.contests[last]
            }
        };
        match entry.key {
            "rounds" => contest.rounds = entry.number()? as usize,
            "base" => contest.base = peers::by_name(entry.value).map_or("", |peer| peer.name),
            peer => {
                if let Some(peer) = peers::by_name(peer) {
                    contest.standings.push(standing(peer.name, entry)?);
                }
            }
        }
        Ok(())
    }

    /// The text of the file.
    pub(super) fn render(&self) -> String {
        let mut text = format!(
            "# What the tables of FIGURES.md show. Written by `cargo xtask figures --write`.\n\
             machine = \"{}\"\n",
            self.machine
        );
        for peer in peers::ALL {
            let mut heading = Some(format!("\n[{COUNTS}{}]\n", peer.name));
            for counted in &self.counts {
                if let Some(value) = counted.of(peer.name) {
                    text.push_str(&heading.take().unwrap_or_default());
                    let (key, value) = (counted.row.key, counted.row.format(value));
                    text.push_str(&format!("{key} = {value}\n"));
                }
            }
        }
        for contest in &self.contests {
            text.push_str(&format!(
                "\n# Nanoseconds, ratio, from, to.\n[{TIMES}{}]\nrounds = {}\nbase = \"{}\"\n",
                contest.key, contest.rounds, contest.base
            ));
            for standing in &contest.standings {
                let Ratio { median, low, high } = standing.ratio;
                text.push_str(&format!(
                    "{} = \"{:.1} {median:.3} {low:.3} {high:.3}\"\n",
                    standing.peer, standing.nanos
                ));
            }
        }
        text
    }

    /// Takes over these counts: of everybody in their rows, or of torsade alone.
    pub(super) fn take_counts(&mut self, counts: Vec<Counted>, are_ours_alone: bool) {
        for mut new in counts {
            let old = self
                .counts
                .iter()
                .position(|one| one.row.key == new.row.key);
            let old = old.map(|index| self.counts.swap_remove(index));
            if let Some(old) = old.filter(|_| are_ours_alone) {
                let kept = old.values.iter().filter(|(peer, _)| new.of(peer).is_none());
                let kept: Vec<_> = kept.copied().collect();
                new.values.extend(kept);
            }
            self.counts.push(new);
        }
        self.sort();
    }

    /// Takes over these contests.
    pub(super) fn take_contests(&mut self, contests: Vec<Contest>) {
        for new in contests {
            self.contests.retain(|old| old.key != new.key);
            self.contests.push(new);
        }
        self.sort();
    }

    /// Everything in the order of the tables.
    fn sort(&mut self) {
        let place = |name: &str| peers::ALL.iter().position(|peer| peer.name == name);
        self.counts
            .sort_by_key(|one| ROWS.iter().position(|row| row.key == one.row.key));
        for counted in &mut self.counts {
            counted.values.sort_by_key(|(peer, _)| place(peer));
        }
        self.contests
            .sort_by_key(|one| times::ROWS.iter().position(|row| row.key() == one.key));
    }
}

fn standing(peer: &'static str, entry: &Entry<'_>) -> Result<Standing, String> {
    let numbers: Vec<f64> = entry
        .value
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    let [nanos, median, low, high] = numbers[..] else {
        return Err(format!("the record says {} = {:?}", entry.key, entry.value));
    };
    Ok(Standing {
        peer,
        nanos,
        ratio: Ratio { median, low, high },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(key: &str, values: &[(&'static str, f64)]) -> Counted {
        Counted {
            row: ROWS.iter().find(|row| row.key == key).unwrap(),
            values: values.to_vec(),
        }
    }

    fn contest(key: &str, nanos: f64) -> Contest {
        let row = times::ROWS.iter().find(|row| row.key() == key).unwrap();
        let ratio = Ratio {
            median: 1.0,
            low: 0.9,
            high: 1.1,
        };
        let standing = Standing {
            peer: "raw",
            nanos,
            ratio,
        };
        row.contest(3, "raw", vec![standing])
    }

    fn record() -> Record {
        let mut record = Record {
            machine: "some machine".to_owned(),
            ..Record::default()
        };
        let echo = counted("echo-32x1", &[("tokio", 900.0), ("torsade-polling", 283.2)]);
        record.take_counts(vec![counted("visits", &[("tokio", 7.0)]), echo], false);
        record.take_contests(vec![contest("visits", 5.0), contest("echo-1x1", 4.0)]);
        record
    }

    #[test]
    fn what_is_written_is_read_again() {
        let record = record();
        assert_eq!(Record::parse(&record.render()).unwrap(), record);
        let keys: Vec<_> = record.counts.iter().map(|one| one.row.key).collect();
        assert_eq!(keys, ["echo-32x1", "visits"]);
    }

    #[test]
    fn a_row_that_is_measured_anew_loses_its_old_values() {
        let mut record = record();
        record.take_counts(vec![counted("echo-32x1", &[("raw", 56.0)])], false);
        assert_eq!(record.counts[0].values, [("raw", 56.0)]);
        assert_eq!(record.counts[1].values, [("tokio", 7.0)]);
        record.take_contests(vec![contest("visits", 6.0)]);
        let nanos: Vec<_> = record
            .contests
            .iter()
            .map(|one| one.standings[0].nanos)
            .collect();
        assert_eq!(nanos, [4.0, 6.0]);
    }

    #[test]
    fn figures_of_torsade_alone_leave_the_peers_theirs() {
        let mut record = record();
        record.take_counts(
            vec![counted("echo-32x1", &[("torsade-polling", 200.0)])],
            true,
        );
        assert_eq!(
            record.counts[0].values,
            [("tokio", 900.0), ("torsade-polling", 200.0)]
        );
    }

    #[test]
    fn what_nobody_measures_any_more_is_forgotten() {
        let text = "machine = \"m\"\n[counts.tokio]\nold = 1.0\n[counts.older]\nvisits = 2.0\n";
        assert!(Record::parse(text).unwrap().counts.is_empty());
        let broken = "[times.visits]\nraw = \"1.0 many\"\n";
        assert!(Record::parse(broken).is_err());
    }
}
