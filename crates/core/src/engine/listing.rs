use std::convert::Infallible;

use torsade_deferred::Resolver;

use super::Engine;
use super::slot::{Input, Slot};
use crate::datagram::Port;
use crate::link::{Output, Phase};
use crate::netstat::{Netstat, NetstatChild, NetstatRow, NetstatState};
use crate::process::Child;

/// What is open.
impl<S> Engine<S> {
    /// Answer who asked for a listing.
    pub(super) fn list(&self, asked: Resolver<Netstat, Infallible>) {
        let shared = &self.shared;
        let listeners = shared.listening.borrow();
        let ports = shared.ports.borrow();
        let processes = shared.processes.borrow();
        let connects = shared.connects.borrow();
        let rows = listeners
            .values()
            .map(|listening| NetstatRow {
                local: Some(listening.address.clone()),
                ..row(NetstatState::Listening, listening.site.to_string())
            })
            .chain(ports.values().map(|port| datagrams(port)))
            .chain(processes.values().map(|process| child(process)))
            .chain(connects.values().filter_map(|connecting| {
                let what = connecting.on_its_way()?;
                Some(row(NetstatState::Connecting, what))
            }))
            .chain(self.slots.values().map(Slot::netstat))
            .collect();
        drop((listeners, ports, processes, connects));
        asked.resolve(Netstat { rows });
    }
}

fn datagrams(port: &Port) -> NetstatRow {
    NetstatRow {
        local: Some(port.local.borrow().clone()),
        remote: port.peer.borrow().clone(),
        received: port.received.get(),
        sent: port.sent.get(),
        buffered: port.departures.borrow().waiting(),
        ..row(NetstatState::Datagrams, port.site.to_string())
    }
}

fn child(child: &Child) -> NetstatRow {
    let state = match child.status() {
        Some(_) => NetstatState::Exited,
        None if child.is_running() => NetstatState::Running,
        None => NetstatState::LetGo,
    };
    let known = NetstatChild {
        pid: child.pid(),
        program: child.program.to_string(),
        status: child.status(),
        descriptors: child.descriptors(),
    };
    let what = known.what(child.site);
    NetstatRow {
        child: Some(known),
        ..row(state, what)
    }
}

fn row(state: NetstatState, what: String) -> NetstatRow {
    NetstatRow {
        state,
        local: None,
        remote: None,
        received: 0,
        sent: 0,
        buffered: 0,
        is_paused: false,
        what,
        connection: None,
        child: None,
    }
}

impl<S> Slot<S> {
    fn netstat(&self) -> NetstatRow {
        let link = &self.link;
        let peer = link.peer();
        NetstatRow {
            local: Some(peer.local().clone()),
            remote: Some(peer.remote().clone()),
            received: link.received(),
            sent: link.sent(),
            buffered: link.buffered(),
            is_paused: link.phase() == Phase::Open && !link.wants_input(),
            connection: Some(link.id()),
            ..row(self.state(), self.stack.name().to_owned())
        }
    }

    fn state(&self) -> NetstatState {
        match self.link.phase() {
            Phase::Closing | Phase::Aborting => NetstatState::Closing,
            Phase::Ended | Phase::Lost => NetstatState::Lost,
            Phase::Open if !self.link.is_made() => NetstatState::Handshaking,
            Phase::Open if !matches!(self.input, Input::Open) => NetstatState::PeerEnded,
            Phase::Open if self.link.output() != Output::Open => NetstatState::Ended,
            Phase::Open => NetstatState::Open,
        }
    }
}
