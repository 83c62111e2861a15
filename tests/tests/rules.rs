//! What became of Twisted's rules: `rules.txt` names each one, what is made of it and the tests
//! that show it. Here is checked that none is missing, that the tests exist, and that the
//! manual's page of differences tells of every rule that was adapted, and of no other.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, Write};

use torsade_tests::named::{exists, root};

/// Those that the list must have: the first ones, and of later ones those whose part exists.
fn wanted() -> Vec<usize> {
    (1..=88).chain(98..=100).collect()
}

const LIST: &str = include_str!("../rules.txt");
const PAGE: &str = "crates/torsade/src/manual/differences.rs";

#[test]
fn every_rule_has_its_verdict_its_tests_and_its_place_in_the_manual() {
    let rules = parse(LIST).unwrap();
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    assert_eq!(problems(&rules, &wanted(), &page, exists), NONE);
    // Past the capture of the test harness: this line is for whoever runs it.
    writeln!(io::stdout(), "{}", Count(&rules)).unwrap();
}

const NONE: [String; 0] = [];

/// What is wrong with the list.
fn problems(
    rules: &[Rule],
    wanted: &[usize],
    page: &str,
    exists: impl Fn(&str) -> Result<(), String>,
) -> Vec<String> {
    let mut problems = wrong_numbers(rules, wanted);
    let sections = sections(page);
    for rule in rules {
        let mut wrong: Vec<String> = rule.wrong_lines();
        wrong.extend(rule.tests.iter().filter_map(|test| exists(test).err()));
        if rule.verdict == "adapted" {
            wrong.extend(rule.wrong_page(&sections));
        }
        let about = |problem| format!("R{}: {problem}", rule.number);
        problems.extend(wrong.into_iter().map(about));
    }
    let is_adapted = |number: &usize| {
        let mut those = rules.iter().filter(|rule| rule.verdict == "adapted");
        those.any(|rule| rule.number == *number)
    };
    let named: BTreeSet<usize> = sections.iter().flat_map(|it| it.rules.clone()).collect();
    for number in named.iter().filter(|number| !is_adapted(number)) {
        problems.push(format!("the page names R{number}, which is not adapted"));
    }
    problems
}

fn wrong_numbers(rules: &[Rule], wanted: &[usize]) -> Vec<String> {
    let times = |number| rules.iter().filter(|rule| rule.number == number).count();
    let missing = wanted.iter().filter(|number| times(**number) != 1);
    let unknown = rules.iter();
    let unknown = unknown.filter(|rule| !wanted.contains(&rule.number));
    missing
        .map(|number| format!("R{number} is there {} times", times(*number)))
        .chain(unknown.map(|rule| format!("there is no R{}", rule.number)))
        .collect()
}

/// An entry of the list.
#[derive(Debug, Default)]
struct Rule {
    number: usize,
    twisted: String,
    verdict: String,
    /// The heading on the page of differences.
    page: String,
    why: String,
    tests: Vec<String>,
}

impl Rule {
    /// Which lines are missing for this verdict, or too many.
    fn wrong_lines(&self) -> Vec<String> {
        let (tests, page, why) = match self.verdict.as_str() {
            "kept" => (true, false, false),
            "adapted" => (true, true, false),
            "later" | "n/a" => (false, false, true),
            other => return vec![format!("what is “{other}”?")],
        };
        let has = [
            ("twisted", !self.twisted.is_empty(), true),
            ("test", !self.tests.is_empty(), tests),
            ("page", !self.page.is_empty(), page),
            ("why", !self.why.is_empty(), why),
        ];
        has.iter()
            .filter(|(_, is_there, wanted)| is_there != wanted)
            .map(|(line, is_there, _)| {
                let what = if *is_there { "too much" } else { "missing" };
                format!("`{line}:` is {what} for {}", self.verdict)
            })
            .collect()
    }

    fn wrong_page(&self, sections: &[Section]) -> Option<String> {
        let mut with_heading = sections.iter().filter(|it| it.heading == self.page);
        match with_heading.next() {
            None => Some(format!("the page has no heading “{}”", self.page)),
            Some(section) if section.rules.contains(&self.number) => None,
            Some(_) => Some(format!("“{}” does not name it", self.page)),
        }
    }
}

/// Read the list: entries with blank lines between them, comments behind `#`.
fn parse(text: &str) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    let mut current: Option<Rule> = None;
    for (number, line) in text.lines().chain([""]).enumerate() {
        let odd = || format!("rules.txt:{}: what is “{line}”?", number + 1);
        if line.is_empty() {
            rules.extend(current.take());
            continue;
        } else if line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(": ").ok_or_else(odd)?;
        if key == "rule" {
            let digits = value.strip_prefix('R').ok_or_else(odd)?;
            let rule = Rule {
                number: digits.parse().map_err(|_| odd())?,
                ..Rule::default()
            };
            rules.extend(current.replace(rule));
            continue;
        }
        let rule = current.as_mut().ok_or_else(odd)?;
        let field = match key {
            "twisted" => &mut rule.twisted,
            "verdict" => &mut rule.verdict,
            "page" => &mut rule.page,
            "why" => &mut rule.why,
            "test" => {
                rule.tests.push(value.to_owned());
                continue;
            }
            _ => return Err(odd()),
        };
        if !std::mem::replace(field, value.to_owned()).is_empty() {
            return Err(odd());
        }
    }
    Ok(rules)
}

/// A part of the page of differences.
#[derive(Debug)]
struct Section {
    heading: String,
    rules: BTreeSet<usize>,
}

fn sections(page: &str) -> Vec<Section> {
    let mut sections = vec![Section {
        heading: String::new(),
        rules: BTreeSet::new(),
    }];
    let mut in_code = false;
    for line in page.lines().filter_map(|line| line.strip_prefix("//!")) {
        let line = line.trim();
        in_code ^= line.starts_with("```");
        if line.starts_with('#') && !in_code {
            sections.push(Section {
                heading: line.trim_start_matches('#').trim().to_owned(),
                rules: BTreeSet::new(),
            });
        }
        if let Some(section) = sections.last_mut() {
            section.rules.extend(numbers(line));
        }
    }
    sections
}

/// The rules that a line names: R and digits, a word of its own.
fn numbers(line: &str) -> impl Iterator<Item = usize> {
    line.split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| word.strip_prefix('R')?.parse().ok())
}

/// The sum, in one line.
struct Count<'a>(&'a [Rule]);

impl fmt::Display for Count<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |verdict| self.0.iter().filter(|it| it.verdict == verdict).count();
        let (kept, adapted, later) = (of("kept"), of("adapted"), of("later"));
        let (all, other) = (self.0.len(), of("n/a"));
        write!(
            f,
            "rules: {all} = kept {kept} + adapted {adapted} + later {later} + not applicable {other}"
        )
    }
}

/// That the checks look.
#[cfg(test)]
mod the_checks {
    use super::*;

    const SOUND: &str = "\
# A comment.
rule: R1
twisted: one
verdict: kept
test: C1.a

rule: R2
twisted: two
verdict: adapted
page: Two
test: C1.a
test: C1.b

rule: R3
twisted: three
verdict: later
why: not yet

rule: R4
twisted: four
verdict: n/a
why: never
";
    const SOUND_PAGE: &str = "//! # One\n//! Nothing; see RFC 8305.\n//! # Two\n//! As R2 says.\n";

    fn check(list: &str, page: &str) -> Vec<String> {
        problems(
            &parse(list).unwrap(),
            &[1, 2, 3, 4],
            page,
            |test| match test {
                "C1.a" | "C1.b" => Ok(()),
                other => Err(format!("there is no cell {other}")),
            },
        )
    }

    #[test]
    fn a_sound_list_is_let_pass_and_counted() {
        assert_eq!(check(SOUND, SOUND_PAGE), NONE);
        let count = Count(&parse(SOUND).unwrap()).to_string();
        let wanted = "rules: 4 = kept 1 + adapted 1 + later 1 + not applicable 1";
        assert_eq!(count, wanted);
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_said() {
        let cases = [
            ("rule: R1\n", "rule: R3\n", "R1 is there 0 times"),
            ("rule: R1\n", "rule: R3\n", "R3 is there 2 times"),
            ("rule: R4\n", "rule: R5\n", "there is no R5"),
            ("twisted: one\n", "", "R1: `twisted:` is missing for kept"),
            ("test: C1.a\n\n", "\n", "R1: `test:` is missing for kept"),
            ("page: Two\n", "", "R2: `page:` is missing for adapted"),
            ("why: not yet\n", "", "R3: `why:` is missing for later"),
            (
                "why: never",
                "test: C1.a",
                "R4: `test:` is too much for n/a",
            ),
            ("verdict: kept", "verdict: maybe", "R1: what is “maybe”?"),
            ("test: C1.b", "test: C1.c", "R2: there is no cell C1.c"),
            (
                "page: Two",
                "page: Too",
                "R2: the page has no heading “Too”",
            ),
            ("page: Two", "page: One", "R2: “One” does not name it"),
        ];
        for (sound, broken, problem) in cases {
            let list = SOUND.replacen(sound, broken, 1);
            assert_ne!(list, SOUND, "{sound}");
            let found = check(&list, SOUND_PAGE);
            assert!(found.iter().any(|it| it == problem), "{problem}: {found:?}");
        }
    }

    #[test]
    fn the_page_names_what_was_adapted_and_nothing_else() {
        let page = SOUND_PAGE.replace("R2", "R3");
        let problems = [
            "R2: “Two” does not name it",
            "the page names R3, which is not adapted",
        ];
        assert_eq!(check(SOUND, &page), problems);
    }

    #[test]
    fn lines_that_mean_nothing_are_refused() {
        let cases = [
            ("rule: R1", "rule: 1"),
            ("rule: R1\n", ""),
            ("why: never", "why never"),
            ("why: never", "reason: never"),
            ("why: never", "why: never\nwhy: ever"),
        ];
        for (sound, broken) in cases {
            let list = SOUND.replacen(sound, broken, 1);
            assert!(parse(&list).is_err(), "{broken}");
        }
    }
}
