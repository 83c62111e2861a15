//! The figures as a Markdown table.

use crate::figures::rows::Row;

/// The table of all rows, with the values of raw epoll, tokio and torsade.
pub(super) fn render(measured: &[(&Row, [Option<f64>; 3])]) -> String {
    let mut text = String::from("| workload | unit |");
    let mut rule = String::from("|---|---|");
    if let Some((row, _)) = measured.first() {
        for (name, _) in row.contenders() {
            text.push_str(&format!(" {name} |"));
            rule.push_str("--:|");
        }
    }
    text.push_str(&format!(" goal |\n{rule}--:|\n"));
    for (row, values) in measured {
        text.push_str(&format!("| {} | {} |", row.workload, row.unit()));
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
        let measured: Vec<_> = ROWS
            .iter()
            .map(|row| (row, [Some(1.0), None, None]))
            .collect();
        let text = render(&measured);
        let cells: Vec<usize> = text.lines().map(|line| line.matches('|').count()).collect();
        assert_eq!(cells, vec![7; ROWS.len() + 2]);
    }
}
