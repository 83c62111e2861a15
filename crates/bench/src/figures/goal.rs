//! What torsade's figures should be.

use std::fmt;

/// What torsade's figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// Nobody has said.
    None,
    /// At most this, on each driver.
    AtMost(f64),
    /// At most this on each driver that is named.
    On(&'static [(&'static str, f64)]),
    /// At most so many times tokio's figure, or this share of it.
    TimesTokio(f64),
}

impl Goal {
    /// The figure on that driver, as far as it does not depend on others.
    pub(super) fn of(self, driver: &str) -> Option<f64> {
        match self {
            Self::AtMost(most) => Some(most),
            Self::On(drivers) => drivers
                .iter()
                .find(|(known, _)| *known == driver)
                .map(|(_, most)| *most),
            Self::None | Self::TimesTokio(_) => None,
        }
    }

    /// Whether a figure is at most another one: a half percent is how starting and stopping
    /// differ between two runs.
    pub(super) fn is_met(value: f64, goal: f64) -> bool {
        value <= goal * 1.005
    }

    /// The figure on that driver beside one of tokio.
    pub(super) fn beside(self, tokio: Option<f64>, driver: &str) -> Option<f64> {
        match self {
            Self::TimesTokio(times) => tokio.map(|tokio| tokio * times),
            other => other.of(driver),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "-"),
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::TimesTokio(times) => {
                // A third is no decimal number, but one of three parts.
                let parts = 1.0 / times;
                let is_part = parts >= 1.0 && (parts - parts.round()).abs() < 1e-9;
                match is_part {
                    true if parts < 1.5 => write!(f, "<= tokio"),
                    true => write!(f, "<= tokio / {parts:.0}"),
                    false => write!(f, "<= {times} x tokio"),
                }
            }
            Self::On(drivers) => {
                let said: Vec<String> = drivers
                    .iter()
                    .map(|(driver, most)| format!("{driver} <= {most}"))
                    .collect();
                write!(f, "{}", said.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_beside_tokio_is_said_as_people_say_it() {
        let said = |times| Goal::TimesTokio(times).to_string();
        assert_eq!(said(1.0), "<= tokio");
        assert_eq!(said(1.0 / 3.0), "<= tokio / 3");
        assert_eq!(said(0.5), "<= tokio / 2");
        assert_eq!(said(0.6), "<= 0.6 x tokio");
        assert_eq!(said(2.0), "<= 2 x tokio");
        assert_eq!(Goal::TimesTokio(0.6).beside(Some(10.0), "epoll"), Some(6.0));
    }
}
