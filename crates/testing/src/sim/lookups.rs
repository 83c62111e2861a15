use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use torsade_core::{LookupId, ResolveError};

use super::kernel::{Event, Kernel};
use super::node::Answer;
use super::weather::LookupTrouble;

/// A look-up without an answer is tried again after so long, so often.
const AGAIN: Duration = Duration::from_secs(5);
const TRIES: u8 = 6;

/// A name that a program asked for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) lookup: LookupId,
    pub(super) name: String,
}

/// Names.
impl Kernel {
    /// These are the addresses of a name from now on.
    pub(super) fn name(&mut self, name: &str, ips: Vec<IpAddr>) {
        self.known.insert(name.to_owned(), ips);
    }

    /// A program asks for a name: the answer comes later.
    pub(super) fn resolve(&mut self, host: u32, lookup: LookupId, name: &str) {
        self.questions += 1;
        let question = self.questions;
        let name = name.to_owned();
        self.nodes[host as usize]
            .questions
            .insert(question, Question { lookup, name });
        match self.weather.lookups(host) {
            Some(LookupTrouble::Slow(by)) => {
                self.weather.harm += 1;
                let at = self.now + by;
                let tries = TRIES;
                self.at(
                    at,
                    Event::Lookup {
                        host,
                        question,
                        tries,
                    },
                );
            }
            _ => self.look_up(host, question, 0),
        }
    }

    /// Nobody waits for the answer.
    pub(super) fn cancel_resolve(&mut self, host: u32, lookup: LookupId) {
        let node = &mut self.nodes[host as usize];
        node.questions.retain(|_, it| it.lookup != lookup);
    }

    /// Answer now, or try again later.
    pub(super) fn look_up(&mut self, host: u32, question: u64, tries: u8) {
        let trouble = self.weather.lookups(host);
        let node = &mut self.nodes[host as usize];
        let Some(asked) = node.questions.remove(&question) else {
            // Given up, or asked for by a program that was killed.
            return;
        };
        let Question { lookup, name } = asked;
        let result = match trouble {
            Some(LookupTrouble::Silent) => {
                node.questions.insert(question, Question { lookup, name });
                self.weather.harm += 1;
                if tries < TRIES {
                    let at = self.now + AGAIN;
                    let tries = tries + 1;
                    self.at(
                        at,
                        Event::Lookup {
                            host,
                            question,
                            tries,
                        },
                    );
                }
                return;
            }
            Some(LookupTrouble::Fails) => {
                self.weather.harm += 1;
                let why = "the name server cannot tell".to_owned();
                Err(ResolveError::Failed { name, why })
            }
            Some(LookupTrouble::Slow(_)) | None => Ok(self.addresses(&name)),
        };
        self.answer(host, Answer::Resolved(lookup, result));
    }

    /// What is known of a name: what the test said, else the host of that name.
    fn addresses(&self, name: &str) -> Vec<IpAddr> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let host = self.host(name).map(|host| IpAddr::V4(self.ip(host)));
        host.into_iter().collect()
    }

    /// The IPv6 address of a host.
    pub(super) fn ipv6(host: u32) -> Ipv6Addr {
        let [.., high, low] = (host + 1).to_be_bytes();
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from_be_bytes([high, low]))
    }

    /// Whose IPv6 address it is.
    pub(super) fn host_at_ipv6(&self, ip: Ipv6Addr) -> Option<u32> {
        let number = u32::from(ip.segments()[7]).checked_sub(1)?;
        let is_there = (number as usize) < self.nodes.len();
        (is_there && Self::ipv6(number) == ip).then_some(number)
    }
}
