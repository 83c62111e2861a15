//! The list of asyncio's guarantees names each once, with a test that exists or a reason.

const GUARANTEES: usize = 30;
const SOURCES: [(&str, &str); 4] = [
    ("groups", include_str!("groups.rs")),
    ("streams", include_str!("streams.rs")),
    ("sync", include_str!("sync.rs")),
    ("tasks", include_str!("tasks.rs")),
];
const LIST: &str = include_str!("guarantees.txt");

#[test]
fn every_guarantee_has_a_test_that_exists_or_a_reason() {
    assert_eq!(problems(LIST), Vec::<String>::new());
}

#[test]
fn what_is_missing_is_noticed() {
    let without_test = LIST.replace("kept groups::a_future_of_asyncio_ends_once\n", "kept\n");
    assert_eq!(problems(&without_test), ["A1: what is shown by what?"]);
    let renamed = LIST.replace("tasks::a_panic_that", "tasks::another_that");
    assert_eq!(problems(&renamed).len(), 1);
    let fewer = LIST.replace("A30 ", "A31 ");
    assert_eq!(problems(&fewer), ["A31 stands where A30 should"]);
}

fn problems(list: &str) -> Vec<String> {
    let text: Vec<&str> = list.lines().filter(|it| !it.starts_with('#')).collect();
    let text = text.join("\n");
    let entries: Vec<&str> = text
        .split("\n\n")
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .collect();
    let mut problems = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let mut lines = entry.lines();
        let (name, _) = lines
            .next()
            .and_then(|it| it.split_once(' '))
            .unwrap_or((entry, ""));
        if name != format!("A{}", place + 1) {
            problems.push(format!("{name} stands where A{} should", place + 1));
        }
        let (verdict, rest) = lines
            .next()
            .and_then(|it| it.split_once(' '))
            .unwrap_or_default();
        let tests = match (verdict, lines.next().map(|it| it.strip_prefix("test "))) {
            ("kept", None) => rest,
            ("differs" | "absent", None) => "",
            ("differs" | "absent", Some(Some(tests))) => tests,
            _ => {
                problems.push(format!("{name}: what is shown by what?"));
                continue;
            }
        };
        let missing = tests.split_whitespace().filter(|test| !exists(test));
        problems.extend(missing.map(|test| format!("{name}: there is no {test}")));
    }
    if entries.len() != GUARANTEES {
        problems.push(format!(
            "{} guarantees instead of {GUARANTEES}",
            entries.len()
        ));
    }
    problems
}

/// Whether `file::function` is a test of this folder.
fn exists(test: &str) -> bool {
    let Some((file, function)) = test.split_once("::") else {
        return false;
    };
    let source = SOURCES.iter().find(|(name, _)| *name == file);
    let source = source.map_or("", |(_, source)| source);
    let Some(place) = source.find(&format!("\nfn {function}()")) else {
        return false;
    };
    let attributes = source[..place].rsplit("\n\n").next();
    attributes.is_some_and(|attributes| attributes.contains("#[test]"))
}
