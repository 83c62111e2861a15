//! Child processes in the listing of what is open, and as somebody else, on every driver.

use std::cell::RefCell;
use std::rc::Rc;

use rustix::process::{getgid, getuid};
use torsade_core::{
    ChildFd, Command, ExitStatus, Netstat, NetstatState, ProcessProtocol, ProcessTransport,
    SpawnError,
};
use torsade_reactor::Reactor;

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

/// What a program says, without the end of the line.
fn says(reactor: &mut Reactor, command: &Command) -> String {
    let output = reactor.net().get_process_output(command);
    let output = reactor.run_until(output).unwrap().unwrap();
    String::from_utf8(output).unwrap().trim().to_owned()
}

const NOBODY: u32 = 65_534;

/// Not the number of a user, so that one is not taken for the other.
const NO_GROUP: u32 = 65_533;

#[test]
fn who_may_runs_a_child_as_somebody_else() {
    const ITSELF: &str = "children::who_may_runs_a_child_as_somebody_else";
    if !getuid().is_root() {
        return as_one_who_may_not();
    }
    on_each_driver(|reactor| {
        let ids = Command::shell("id -u; id -g; id -G");
        // Also the groups that the superuser is in are left behind.
        let both = ids.clone().uid(NOBODY).gid(NO_GROUP);
        assert_eq!(says(reactor, &both), "65534\n65533\n65533");
        assert!(says(reactor, &ids.clone().gid(NO_GROUP)).starts_with("0\n65533\n"));
        assert!(says(reactor, &ids.uid(NOBODY)).starts_with("65534\n0\n"));
    });
    // What is refused is refused to somebody else: this program once more, as such a one.
    on_each_driver(|reactor| {
        let again = Command::new("/proc/self/exe").args(["--exact", ITSELF, "--test-threads=1"]);
        let said = says(reactor, &again.uid(NOBODY).gid(NO_GROUP));
        assert!(said.contains("1 passed"), "{said}");
    });
}

fn as_one_who_may_not() {
    on_each_driver(|reactor| {
        let id = Command::new("id").arg("-u");
        let groups = Command::new("id").arg("-g");
        for (not_ours, ours, is) in [
            (
                id.clone().uid(0),
                id.clone().uid(getuid().as_raw()),
                getuid().as_raw(),
            ),
            (
                groups.clone().gid(0),
                groups.clone().gid(getgid().as_raw()),
                getgid().as_raw(),
            ),
        ] {
            let refused = reactor.net().spawn_process(&not_ours, Listed::default());
            let error = refused.unwrap_err();
            assert!(
                matches!(&error, SpawnError::NotPermitted { program, .. } if program == "id"),
                "{error:?}"
            );
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            assert!(
                reactor.net().processes().is_empty(),
                "nothing is left of it"
            );
            // To stay who one is is not forbidden.
            assert_eq!(says(reactor, &ours), is.to_string());
        }
    });
}
