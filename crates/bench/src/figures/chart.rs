//! A picture of ratios: bars, with the spread of their rounds as whiskers.

use std::fmt::Write as _;

/// Some bars below a heading.
pub(super) struct Group {
    pub(super) title: String,
    /// What the line stands for.
    pub(super) one: String,
    pub(super) bars: Vec<Bar>,
}

/// One ratio.
pub(super) struct Bar {
    pub(super) label: String,
    /// How long it is; 1 is where the line stands.
    pub(super) ratio: f64,
    /// From where to where its rounds spread.
    pub(super) spread: Option<(f64, f64)>,
    pub(super) kind: Kind,
}

/// How a bar is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ours,
    Other,
    /// Its spread does not carry a difference.
    Undecided,
}

const LABELS: f64 = 110.0;
/// Groups stand in two columns, each as wide as this.
const COLUMN: f64 = 460.0;
const ONE: f64 = 28.0;
const LINE: f64 = 17.0;
/// What is longer is cut off; the number beside it says how long it is.
const LONGEST: f64 = 8.0;

/// The picture as the text of an SVG file.
pub(super) fn render(groups: &[Group]) -> String {
    let (left, right) = groups.split_at(halfway(groups));
    let height = LINE + total(left).max(total(right));
    let width = if right.is_empty() {
        COLUMN
    } else {
        2.0 * COLUMN
    };
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (left, groups) in [(0.0, left), (COLUMN, right)] {
        push(
            &mut text,
            format_args!("<g transform=\"translate({left} 0)\">"),
        );
        column(&mut text, groups);
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    text
}

/// How many groups make the left column at least as high as the right one.
fn halfway(groups: &[Group]) -> usize {
    let is_enough = |count: &usize| total(&groups[..*count]) >= total(&groups[*count..]);
    (0..=groups.len()).find(is_enough).unwrap_or(groups.len())
}

fn total(groups: &[Group]) -> f64 {
    groups.iter().map(height).sum()
}

/// A heading of two lines, the bars, and a line of nothing.
fn height(group: &Group) -> f64 {
    LINE * (group.bars.len() as f64 + 3.0)
}

fn column(text: &mut String, groups: &[Group]) {
    let one = LABELS + ONE;
    let mut top = LINE;
    for group in groups {
        let title = escaped(&group.title);
        line(text, 4.0, top, "font-weight=\"bold\"", &title);
        line(
            text,
            4.0,
            top + LINE,
            "fill=\"#334155\"",
            &escaped(&group.one),
        );
        let begin = top + LINE + 5.0;
        for (number, bar) in group.bars.iter().enumerate() {
            draw(text, bar, top + LINE * (number as f64 + 2.0));
        }
        let end = begin + LINE * group.bars.len() as f64;
        push(
            text,
            format_args!(
                "<line x1=\"{one}\" x2=\"{one}\" y1=\"{begin}\" y2=\"{end}\" stroke=\"black\" \
                 stroke-dasharray=\"2\"/>"
            ),
        );
        top += height(group);
    }
}

fn draw(text: &mut String, bar: &Bar, bottom: f64) {
    let color = match bar.kind {
        Kind::Ours => "#c2410c",
        Kind::Other => "#64748b",
        Kind::Undecided => "#cbd5e1",
    };
    let at = |ratio: f64| LABELS + ONE * ratio.clamp(0.0, LONGEST);
    let label = escaped(&bar.label);
    let right = LABELS - 6.0;
    line(text, right, bottom, "text-anchor=\"end\"", &label);
    let (top, width) = (bottom - 10.0, at(bar.ratio) - LABELS);
    push(
        text,
        format_args!(
            "<rect x=\"{LABELS}\" y=\"{top}\" width=\"{width:.1}\" height=\"12\" fill=\"{color}\"/>"
        ),
    );
    let mut end = at(bar.ratio);
    let mut said = format!("{:.2}", bar.ratio);
    if let Some((low, high)) = bar.spread {
        let middle = bottom - 4.0;
        let (from, to) = (at(low), at(high));
        end = end.max(to);
        said.push_str(&format!(" ({low:.2} to {high:.2})"));
        push(
            text,
            format_args!(
                "<line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"black\"/>"
            ),
        );
    }
    line(text, end + 6.0, bottom, "fill=\"#334155\"", &said);
}

fn line(text: &mut String, x: f64, y: f64, how: &str, words: &str) {
    push(
        text,
        format_args!("<text x=\"{x:.1}\" y=\"{y}\" {how}>{words}</text>"),
    );
}

fn push(text: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = writeln!(text, "{element}");
}

fn escaped(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(ratio: f64, spread: Option<(f64, f64)>) -> Bar {
        Bar {
            label: "a < b".to_owned(),
            ratio,
            spread,
            kind: Kind::Other,
        }
    }

    fn picture(bars: Vec<Bar>) -> String {
        render(&[Group {
            title: "R & D".to_owned(),
            one: "1 is much".to_owned(),
            bars,
        }])
    }

    #[test]
    fn a_bar_is_as_long_as_its_ratio_and_its_whisker_as_its_spread() {
        let text = picture(vec![bar(2.0, Some((1.0, 3.0)))]);
        assert!(text.contains("width=\"56.0\""), "{text}");
        assert!(text.contains("x1=\"138.0\" x2=\"194.0\""), "{text}");
        assert!(text.contains(">2.00 (1.00 to 3.00)<"), "{text}");
    }

    #[test]
    fn what_is_too_long_is_cut_but_said() {
        let text = picture(vec![bar(100.0, None)]);
        assert!(text.contains("width=\"224.0\"") && text.contains(">100.00<"));
    }

    #[test]
    fn words_do_not_become_tags() {
        let text = picture(vec![bar(1.0, None)]);
        assert!(text.contains("R &amp; D") && text.contains("a &lt; b"));
        assert_eq!(text.matches('<').count(), text.matches('>').count());
    }

    #[test]
    fn the_left_column_is_as_high_as_the_right_one_or_a_group_higher() {
        let group = |bars: usize| Group {
            title: String::new(),
            one: String::new(),
            bars: (0..bars).map(|_| bar(1.0, None)).collect(),
        };
        let groups = [group(1), group(2), group(1), group(4)];
        assert_eq!(halfway(&groups), 3);
        assert_eq!(halfway(&[group(3)]), 1);
        assert_eq!(halfway(&[]), 0);
    }
}
