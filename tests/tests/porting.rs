//! The manual's tables for porters cannot rot: every name of `porting.txt` has a row; what a row
//! links exists and is found by that name, or is a heading that exists; and nothing is said to
//! come later that is there.
//!
//! That the linked items exist is what rustdoc checks, which builds the manual with its warnings
//! denied; here they are looked up in the sources by the names that they carry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::items::Items;
use crate::table::{Kind, Row};

#[path = "porting/items.rs"]
mod items;
#[path = "porting/table.rs"]
mod table;

const NAMES: &str = include_str!("../porting.txt");
const PAGES: &str = "crates/torsade/src/manual";
/// The list of `porting.txt`, and the page with its table.
const TABLES: [(&str, &str); 2] = [
    ("Twisted", "twisted_names"),
    ("asyncio", "coming_from_asyncio"),
];

#[test]
fn every_name_has_its_place_and_every_place_its_name() {
    let items = Items::read(&root().join("crates")).unwrap();
    for (list, page) in TABLES {
        let table = Table {
            wanted: table::wanted(NAMES, list),
            rows: table::rows(&read_page(page).unwrap()),
            items: &items,
            heading_exists: &heading_exists,
        };
        assert_eq!(table.problems(), NONE, "{page}");
        // Past the capture of the test harness: this line is for whoever runs it.
        writeln!(io::stdout(), "porting from {list}: {}", table.count()).unwrap();
    }
}

const NONE: [String; 0] = [];

struct Table<'a> {
    wanted: Vec<String>,
    rows: Vec<Row>,
    items: &'a Items,
    /// Whether that page of the manual has that heading.
    heading_exists: &'a dyn Fn(&str, &str) -> bool,
}

impl Table<'_> {
    fn problems(&self) -> Vec<String> {
        let mut problems = self.missing_and_unknown();
        for row in &self.rows {
            for name in &row.names {
                problems.extend(self.wrong(row, name).map(|what| format!("{name}: {what}")));
            }
            problems.extend(self.dead_headings(row));
        }
        problems
    }

    fn missing_and_unknown(&self) -> Vec<String> {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.rows.iter().flat_map(|row| &row.names) {
            *times.entry(name).or_default() += 1;
        }
        let wanted: BTreeSet<&str> = self.wanted.iter().map(String::as_str).collect();
        let listed = self.wanted.iter().filter_map(|name| {
            let times = times.get(name.as_str()).copied().unwrap_or(0);
            (times != 1).then(|| format!("{name} has {times} rows"))
        });
        let unknown = times.keys().filter(|name| !wanted.contains(*name));
        let unknown = unknown.map(|name| format!("{name} is not in porting.txt"));
        listed.chain(unknown).collect()
    }

    fn wrong(&self, row: &Row, name: &str) -> Option<String> {
        match &row.kind {
            Kind::Here(linked) => {
                if let Some(unknown) = linked.iter().find(|item| !self.items.is_there(item)) {
                    return Some(format!("there is no {unknown}"));
                }
                let found = linked.iter().any(|item| self.items.is_found(item, name));
                (!found).then(|| format!("{} is not found by it", linked.join(" or ")))
            }
            Kind::Otherwise => None,
            Kind::Later(reason) | Kind::Never(reason) if reason.is_empty() => {
                Some("no reason is given".to_owned())
            }
            Kind::Later(_) | Kind::Never(_) => {
                let there = self.items.by_name(name)?;
                Some(format!("{there} is there"))
            }
            Kind::Odd(cell) => Some(format!("what is “{cell}”?")),
        }
    }

    fn dead_headings(&self, row: &Row) -> Vec<String> {
        let dead = row.headings.iter();
        dead.filter(|(page, anchor)| !(self.heading_exists)(page, anchor))
            .map(|(page, anchor)| format!("{page} has no heading #{anchor}"))
            .collect()
    }

    fn count(&self) -> Count {
        let of = |wanted: fn(&Kind) -> bool| {
            let rows = self.rows.iter().filter(|row| wanted(&row.kind));
            rows.map(|row| row.names.len()).sum()
        };
        Count {
            here: of(|kind| matches!(kind, Kind::Here(_))),
            otherwise: of(|kind| matches!(kind, Kind::Otherwise)),
            later: of(|kind| matches!(kind, Kind::Later(_))),
            never: of(|kind| matches!(kind, Kind::Never(_))),
        }
    }
}

/// Names, by what became of them.
struct Count {
    here: usize,
    otherwise: usize,
    later: usize,
    never: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            here,
            otherwise,
            later,
            never,
        } = self;
        let all = here + otherwise + later + never;
        write!(
            f,
            "{all} names = {here} here + {otherwise} otherwise + {later} later + {never} never"
        )
    }
}

fn heading_exists(page: &str, anchor: &str) -> bool {
    read_page(page).is_ok_and(|text| table::anchors(&text).contains(anchor))
}

fn read_page(page: &str) -> io::Result<String> {
    fs::read_to_string(root().join(PAGES).join(page).with_extension("rs"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// That the checks look.
#[cfg(test)]
mod the_checks {
    use super::*;

    const LIST: &str = "# A comment.\n[Twisted]\nwrite stop\n\n[other]\nthis that Wire\nfetch\n";
    const PAGE: &str = "\
//! # Things
//! | other | here | |
//! |---|---|---|
//! | `this` | [`these`](crate::Thing::these) | |
//! | `that`, `Wire` | [elsewhere](super::far#over-the-hills) | |
//! | `fetch` | later: not yet | [so far](super::far#away) |
";
    const SOURCE: &str = "\
pub struct Thing;
impl<T: Into<u8>> Thing<T> {
    #[doc(alias = \"this\")]
    #[must_use = \"or
        else\"]
    pub fn these(&self) {}
}
";

    fn check(list: &str, page: &str, source: &str) -> Vec<String> {
        let mut items = Items::default();
        items.add(source);
        let table = Table {
            wanted: table::wanted(list, "other"),
            rows: table::rows(page),
            items: &items,
            heading_exists: &|page, anchor| {
                page == "far" && ["over-the-hills", "away"].contains(&anchor)
            },
        };
        table.problems()
    }

    #[test]
    fn a_sound_table_is_let_pass_and_counted() {
        assert_eq!(check(LIST, PAGE, SOURCE), NONE);
        let table = Table {
            wanted: Vec::new(),
            rows: table::rows(PAGE),
            items: &Items::default(),
            heading_exists: &|_, _| true,
        };
        let sum = "4 names = 1 here + 2 otherwise + 1 later + 0 never";
        assert_eq!(table.count().to_string(), sum);
    }

    #[test]
    fn what_is_wrong_with_the_table_is_said() {
        let cases = [
            (
                "//! | `this` | [`these`](crate::Thing::these) | |\n",
                "",
                "this has 0 rows",
            ),
            ("`that`", "`this`", "this has 2 rows"),
            ("`fetch`", "`fetched`", "fetched is not in porting.txt"),
            (
                "Thing::these",
                "Thing::those",
                "this: there is no Thing::those",
            ),
            (
                "`this` | [",
                "`Wire` | [",
                "Wire: Thing::these is not found by it",
            ),
            ("#away", "#astray", "far has no heading #astray"),
            (
                "super::far#over",
                "super::near#over",
                "near has no heading #over-the-hills",
            ),
            ("later: not yet", "later: ", "fetch: no reason is given"),
            ("later: not yet", "perhaps", "fetch: what is “perhaps”?"),
        ];
        for (sound, broken, problem) in cases {
            let page = PAGE.replacen(sound, broken, 1);
            assert_ne!(page, PAGE, "{sound}");
            let found = check(LIST, &page, SOURCE);
            assert!(found.iter().any(|it| it == problem), "{problem}: {found:?}");
        }
    }

    #[test]
    fn what_is_there_is_not_said_to_come_later() {
        let aliased = SOURCE.replace("\"this\"", "\"this\")]\n    #[doc(alias = \"fetch\"");
        assert_eq!(
            check(LIST, PAGE, &aliased),
            ["fetch: Thing::these is there"]
        );
        let named = format!("{SOURCE}pub fn fetch() {{}}\n");
        assert_eq!(check(LIST, PAGE, &named), ["fetch: fetch is there"]);
        let never = PAGE.replace("later: not yet", "never: too far");
        assert_eq!(check(LIST, &never, &named), ["fetch: fetch is there"]);
    }

    #[test]
    fn an_alias_belongs_to_the_item_that_follows_it() {
        let moved = SOURCE.replace("pub fn these", "pub fn more() {}\n    pub fn these");
        let problem = "this: Thing::these is not found by it";
        assert_eq!(check(LIST, PAGE, &moved), [problem]);
        let elsewhere = SOURCE.replace("Thing<T>", "Other<T>");
        let problem = "this: there is no Thing::these";
        assert_eq!(check(LIST, PAGE, &elsewhere), [problem]);
        let of_a_trait = SOURCE.replace("impl<T: Into<u8>> Thing<T>", "pub trait Thing: Sized");
        assert_eq!(check(LIST, PAGE, &of_a_trait), NONE);
        let of_a_variant = SOURCE.replace("impl<T: Into<u8>> Thing<T>", "pub enum Thing");
        let of_a_variant =
            of_a_variant.replace("pub fn these(&self) {}", "Such(u8),\n    fn these()");
        assert_eq!(
            check(LIST, PAGE, &of_a_variant),
            ["this: Thing::these is not found by it"]
        );
        let page = PAGE.replace("Thing::these", "Thing::Such");
        assert_eq!(check(LIST, &page, &of_a_variant), NONE);
        let by_its_own_name = SOURCE
            .replace("alias = \"this\"", "hidden")
            .replace("these", "this");
        let page = PAGE.replace("Thing::these", "Thing::this");
        assert_eq!(check(LIST, &page, &by_its_own_name), NONE);
    }

    #[test]
    fn anchors_are_those_that_rustdoc_makes() {
        let page = "\
//! # The one, and only
//! ```
//! # let x = 1; // hidden, and no heading
//! ```
//! ## `write_all` or R5?
//! ## C1: nobody calls
";
        let anchors = table::anchors(page);
        let wanted = ["c1-nobody-calls", "the-one-and-only", "write_all-or-r5"];
        assert!(anchors.iter().eq(wanted.iter()), "{anchors:?}");
    }
}
