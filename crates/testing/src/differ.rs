//! How two strings of bytes differ, for people.

use std::fmt::Write as _;

/// What is shown before the place where they part, and after it.
const AROUND: usize = 24;

/// How many bytes the two have in common at the front.
pub(crate) fn common(one: &[u8], other: &[u8]) -> usize {
    let pairs = one.iter().zip(other);
    pairs.take_while(|(one, other)| one == other).count()
}

/// Both, around the place where they part: as text with a mark under it, and as bytes.
pub(crate) fn difference(expected: &[u8], came: &[u8]) -> String {
    let at = common(expected, came);
    let from = at.saturating_sub(AROUND);
    let lead = if from > 0 { ".." } else { "" };
    let mark = lead.len() + 1 + expected[from..at].escape_ascii().count();
    let mut text = String::new();
    for (name, bytes) in [("expected", expected), ("came", came)] {
        let to = bytes.len().min(at + AROUND);
        let tail = if to < bytes.len() { ".." } else { "" };
        let shown = bytes[from..to].escape_ascii();
        let _ = writeln!(text, "  {name:<9} {lead}\"{shown}\"{tail}");
    }
    let _ = writeln!(text, "  {:<9} {:mark$}^ at byte {at}", "", "");
    let [wanted, got] = [expected, came].map(|bytes| in_hex(&bytes[at.min(bytes.len())..]));
    let _ = write!(text, "  in bytes  {wanted} expected, {got} came");
    text
}

/// The first bytes of these.
fn in_hex(bytes: &[u8]) -> String {
    const MOST: usize = 8;
    if bytes.is_empty() {
        return "nothing more".to_owned();
    }
    let mut words: Vec<String> = bytes
        .iter()
        .take(MOST)
        .map(|it| format!("{it:02x}"))
        .collect();
    if bytes.len() > MOST {
        words.push("..".to_owned());
    }
    words.join(" ")
}

/// Bytes as text, not all of them if they are many.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 60;
    match bytes.get(..MOST) {
        Some(part) => format!("\"{}\".. ({} bytes)", part.escape_ascii(), bytes.len()),
        None => format!("\"{}\"", bytes.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_marked_and_both_are_there_as_text_and_as_bytes() {
        assert_eq!(
            difference(b"a\r\nhello, ann\r\n", b"a\r\nhello, bob"),
            [
                "  expected  \"a\\r\\nhello, ann\\r\\n\"",
                "  came      \"a\\r\\nhello, bob\"",
                "                         ^ at byte 10",
                "  in bytes  61 6e 6e 0d 0a expected, 62 6f 62 came",
            ]
            .join("\n")
        );
    }

    #[test]
    fn of_long_ones_the_neighbourhood_is_shown() {
        let long = [b'x'; 100];
        let mut other = long;
        other[50] = b'!';
        let text = difference(&long, &other);
        let lines: Vec<&str> = text.lines().collect();
        let mark = lines[2].find('^').unwrap_or(0);
        assert_eq!(&lines[1][mark..=mark], "!");
        assert!(lines[0].len() < 70, "{text}");
        assert!(text.contains("at byte 50"));
    }

    #[test]
    fn what_stops_too_early_is_said_to() {
        let text = difference(b"abc", b"ab");
        assert!(text.ends_with("63 expected, nothing more came"), "{text}");
    }
}
