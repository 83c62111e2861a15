//! Child processes in the listing of what is open, on every driver.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_core::{
    ChildFd, Command, ExitStatus, Netstat, NetstatState, ProcessProtocol, ProcessTransport,
};

use crate::unix::on_each_driver;

/// Takes a listing when it is made, and when the process has exited. The process, and then who
/// holds its descriptors, is told to go on when the listing is there.
#[derive(Default)]
struct Listed(Rc<RefCell<Vec<Netstat>>>);

impl Listed {
    fn list(&self, transport: &ProcessTransport<Self>) {
        let listings = Rc::clone(&self.0);
        let process = transport.process();
        let listing = transport.net().netstat();
        listing.finish(move |listing| {
            listings.borrow_mut().extend(listing.ok());
            process.write("go on\n");
        });
    }
}

impl ProcessProtocol for Listed {
    fn connection_made(&mut self, transport: &ProcessTransport<Self>) {
        self.list(transport);
    }

    fn process_exited(&mut self, transport: &ProcessTransport<Self>, _: ExitStatus) {
        self.list(transport);
    }
}

#[test]
fn the_listing_has_children_with_their_descriptors() {
    on_each_driver(|reactor| {
        let listed = Listed::default();
        let listings = Rc::clone(&listed.0);
        // The exit is before the end of the output, which somebody else holds.
        let held = "read x; exec 4<&0; { read x <&4; } 2>&- & exec 2>&-; exit 3";
        let command = Command::shell(held).descriptor(2, ChildFd::Read);
        let process = reactor.net().spawn_process(&command, listed).unwrap();
        reactor.run_until(process.ended()).unwrap().unwrap();
        let listings = listings.take();
        let children = listings.iter().flat_map(|listing| &listing.rows);
        let children: Vec<_> = children.filter(|row| row.child.is_some()).collect();
        let states: Vec<_> = children.iter().map(|row| row.state).collect();
        assert_eq!(states, [NetstatState::Running, NetstatState::Exited]);
        let [running, exited] = [0, 1].map(|it| children[it].child.as_ref().unwrap());
        assert_eq!((running.pid, exited.pid), (process.pid(), process.pid()));
        assert_eq!(running.program, command.program().to_str().unwrap());
        assert_eq!((running.status, exited.status), (None, process.status()));
        let numbers = |open: &[(u32, _)]| open.iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(numbers(&running.descriptors), [0, 1, 2]);
        assert!(numbers(&exited.descriptors).starts_with(&[0, 1]));
        // Each is the other end of a connection that is listed, too.
        for (_, connection) in &running.descriptors {
            let mut rows = listings[0].rows.iter();
            assert!(rows.any(|row| row.connection == Some(*connection)));
        }
        let shown = children[1].what.clone();
        assert!(
            shown.contains("exit code 3") && shown.contains("children.rs"),
            "{shown}"
        );
    });
}
