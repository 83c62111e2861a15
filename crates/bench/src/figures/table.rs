//! The counts as a Markdown table.

use crate::figures::peers;
use crate::figures::rows::Row;

/// A row with the value of each peer, where there is one.
pub(super) type Counted = (&'static Row, Vec<Option<f64>>);

/// The table of these rows.
pub(super) fn render(counted: &[Counted]) -> String {
    let mut text = String::from("| workload | unit |");
    let mut rule = String::from("|---|---|");
    for peer in peers::COUNTED {
        text.push_str(&format!(" {} |", peers::title(peer)));
        rule.push_str("--:|");
    }
    text.push_str(&format!(" goal |\n{rule}--:|\n"));
    for (row, values) in counted {
        text.push_str(&format!("| {} | {} |", row.workload, row.unit));
        for value in values {
            let cell = value.map_or_else(|| "-".to_owned(), |value| row.format(value));
            text.push_str(&format!(" {cell} |"));
        }
        let goal = row
            .goal
            .map_or_else(|| "-".to_owned(), |goal| format!("<= {goal}"));
        text.push_str(&format!(" {goal} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::rows::ROWS;

    #[test]
    fn every_line_has_as_many_cells_as_the_heading() {
        let counted: Vec<_> = ROWS
            .iter()
            .map(|row| (row, row.contenders().map(|_| Some(1.0)).collect()))
            .collect();
        let text = render(&counted);
        let cells: Vec<usize> = text.lines().map(|line| line.matches('|').count()).collect();
        assert_eq!(cells, vec![9; ROWS.len() + 2]);
    }
}
