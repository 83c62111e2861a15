use std::fmt::Write as _;

use super::trace::{Line, NOBODY, Trace, clock};

/// Pictures of it.
impl Trace {
    /// A sequence diagram in text: a column for each host, an arrow for each segment at the time at
    /// which it arrives, and what a host does by itself under its name.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport, factory};
    /// # use torsade_testing::sim::Sim;
    /// # struct Hello;
    /// # impl Protocol for Hello {
    /// #     fn connection_made(&mut self, transport: &Transport<Self>) {
    /// #         transport.write("hello");
    /// #     }
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut net = Sim::new(1);
    /// net.host("server").net().listen("0.0.0.0:7", factory(|_| Hello))?;
    /// net.host("ann").net().connect("server:7", Hello).detach();
    /// net.settle();
    /// let picture = net.trace().diagram();
    /// assert!(picture.lines().any(|line| line.contains("|<---")), "{picture}");
    /// # Ok::<(), torsade_core::ListenError>(())
    /// ```
    pub fn diagram(&self) -> String {
        let lines = self.lines();
        let columns = Columns::of(self, &lines);
        let mut text = format!("{:>12}  ", "");
        for &host in &columns.hosts {
            let _ = write!(text, "{:<WIDTH$}", self.name(host));
        }
        end_line(&mut text);
        for line in &lines {
            let _ = write!(text, "{:>12}  ", clock(line.at));
            let own = columns.place(line.host);
            match (own, line.from.and_then(|from| columns.place(from))) {
                (Some(to), Some(from)) if from != to => columns.arrow(&mut text, from, to, line),
                (Some(own), _) => columns.note(&mut text, own, &line.text),
                (None, _) => text.push_str(&line.text),
            }
            end_line(&mut text);
        }
        text
    }

    /// The same as a picture, for browsers.
    ///
    /// ```
    /// let net = torsade_testing::sim::Sim::new(1);
    /// net.say("1 < 2");
    /// let picture = net.trace().svg();
    /// assert!(picture.starts_with("<svg ") && picture.contains("1 &lt; 2"));
    /// ```
    pub fn svg(&self) -> String {
        let lines = self.lines();
        let columns = Columns::of(self, &lines);
        let (across, down) = (240, 18);
        let x = |place: usize| 110 + place * across + across / 2;
        let width = x(columns.hosts.len()) + 60;
        let height = (lines.len() + 3) * down;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"monospace\" font-size=\"11\">\n\
             <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
             markerHeight=\"8\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\"/></marker></defs>\n"
        );
        for (place, &host) in columns.hosts.iter().enumerate() {
            let (x, name) = (x(place), escaped(self.name(host)));
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{down}\" text-anchor=\"middle\">{name}</text>\n\
                 <line x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{height}\" stroke=\"#bbb\"/>",
                down + 6
            );
        }
        for (row, line) in lines.iter().enumerate() {
            let y = (row + 2) * down;
            let (at, text) = (clock(line.at), escaped(&line.text));
            let _ = writeln!(svg, "<text x=\"4\" y=\"{y}\" fill=\"#777\">{at}</text>");
            let own = columns.place(line.host);
            let from = line.from.and_then(|from| columns.place(from));
            let at_text = match (own, from) {
                (Some(to), Some(from)) if from != to => {
                    let (from, to) = (x(from), x(to));
                    let _ = writeln!(
                        svg,
                        "<line x1=\"{from}\" y1=\"{}\" x2=\"{to}\" y2=\"{}\" stroke=\"black\" \
                         marker-end=\"url(#tip)\"/>",
                        y + 2,
                        y + 2
                    );
                    from.min(to) + 6
                }
                (Some(own), _) => x(own) + 6,
                (None, _) => 110,
            };
            let _ = writeln!(svg, "<text x=\"{at_text}\" y=\"{y}\">{text}</text>");
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// How wide a host's column is.
const WIDTH: usize = 30;

/// The hosts of a diagram, from the left, in the order in which they were made.
struct Columns {
    hosts: Vec<u32>,
}

impl Columns {
    /// Those that anything is said of.
    fn of(trace: &Trace, lines: &[Line]) -> Self {
        let mut hosts: Vec<u32> = lines
            .iter()
            .flat_map(|line| [Some(line.host), line.from])
            .flatten()
            .filter(|host| *host != NOBODY && (*host as usize) < trace.hosts.len())
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        Self { hosts }
    }

    fn place(&self, host: u32) -> Option<usize> {
        self.hosts.binary_search(&host).ok()
    }

    fn arrow(&self, text: &mut String, from: usize, to: usize, line: &Line) {
        let (left, right) = (from.min(to), from.max(to));
        let said = line.text.split_once(": ").map_or("", |(_, said)| said);
        for place in 0..self.hosts.len() {
            if place < left || place > right {
                let _ = write!(text, "{:<WIDTH$}", "|");
            } else if place == left {
                let long = (right - left) * WIDTH - 1;
                let most = long.saturating_sub(8);
                let said: String = said.chars().take(most).collect();
                let dashes = "-".repeat(long.saturating_sub(6 + said.chars().count()));
                let arrow = match from < to {
                    true => format!("|--- {said} {dashes}>"),
                    false => format!("|<--- {said} {dashes}"),
                };
                let shown: String = arrow.chars().take(long + 1).collect();
                let _ = write!(text, "{shown}");
            } else if place == right {
                let _ = write!(text, "{:<WIDTH$}", "|");
            }
        }
    }

    fn note(&self, text: &mut String, own: usize, said: &str) {
        for place in 0..self.hosts.len() {
            if place != own {
                let _ = write!(text, "{:<WIDTH$}", "|");
                continue;
            }
            let said: String = said.chars().take(WIDTH - 3).collect();
            let _ = write!(text, "{:<WIDTH$}", format!("* {said}"));
        }
    }
}

fn end_line(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
