//! What became of asyncio's promises about its loop, transports and servers: `asyncio.txt` names each
//! one, with tests that exist or a reason.

use torsade_tests::named::exists;

const LIST: &str = include_str!("../asyncio.txt");
const PROMISES: usize = 63;

#[test]
fn every_promise_has_tests_that_exist_or_a_reason() {
    assert_eq!(problems(LIST), Vec::<String>::new());
}

#[test]
fn what_is_missing_is_noticed() {
    let renamed = LIST.replacen("C9.timers_never_fire_early", "C9.timers_never_fire", 1);
    assert_eq!(
        problems(&renamed),
        ["12: there is no cell C9.timers_never_fire"]
    );
    let without = LIST.replacen("kept C17.stopping_waits_behind_continuations", "kept", 1);
    assert_eq!(problems(&without), ["2: what is shown by what?"]);
    let twice = LIST.replacen("\n3 a stop", "\n2 a stop", 1);
    assert_eq!(problems(&twice), ["2 stands behind 2"]);
    let fewer = LIST.replacen("\n\n9 a callback", "\n9 a callback", 1);
    assert!(!problems(&fewer).is_empty());
}

fn problems(list: &str) -> Vec<String> {
    let text: Vec<&str> = list.lines().filter(|it| !it.starts_with('#')).collect();
    let text = text.join("\n");
    let entries: Vec<&str> = text.split("\n\n").map(str::trim).collect();
    let entries: Vec<&str> = entries.into_iter().filter(|it| !it.is_empty()).collect();
    let (mut problems, mut last) = (Vec::new(), 0);
    for entry in &entries {
        let lines: Vec<&str> = entry.lines().collect();
        let number = lines[0].split(' ').next().and_then(|it| it.parse().ok());
        let number: u32 = number.unwrap_or(0);
        if number <= last {
            problems.push(format!("{number} stands behind {last}"));
        }
        last = number;
        let verdict = lines.get(1).and_then(|line| line.split_once(' '));
        let tests = match (verdict, lines.get(2).map(|it| it.strip_prefix("test "))) {
            (Some(("kept", tests)), None) => tests,
            (Some(("differs" | "absent", _)), None) => "",
            (Some(("differs", _)), Some(Some(tests))) if lines.len() == 3 => tests,
            _ => {
                problems.push(format!("{number}: what is shown by what?"));
                continue;
            }
        };
        let missing = tests
            .split(' ')
            .filter(|it| !it.is_empty())
            .filter_map(|it| exists(it).err());
        problems.extend(missing.map(|problem| format!("{number}: {problem}")));
    }
    if entries.len() != PROMISES {
        problems.push(format!("{} promises instead of {PROMISES}", entries.len()));
    }
    problems
}
