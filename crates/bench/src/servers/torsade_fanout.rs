//! A room on torsade, as its pubsub example has it: every line goes to all.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use torsade::wire::{LineProtocol, Lines};
use torsade::{Connection, Disconnect, Transport, factory};

type Room = Rc<RefCell<Vec<Connection>>>;

struct Member {
    room: Room,
}

impl LineProtocol for Member {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.room.borrow_mut().push(transport.connection());
    }

    fn line_received(&mut self, _: &Transport<Self>, line: &[u8]) {
        let line = [line, Self::DELIMITER].concat();
        for member in self.room.borrow().iter() {
            member.write(&line);
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
        let gone = transport.connection();
        self.room.borrow_mut().retain(|member| *member != gone);
    }
}

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let mut reactor = super::driver::reactor()?;
    let room = Room::default();
    let members = factory(move |_| {
        let room = Rc::clone(&room);
        Lines::new(Member { room })
    });
    let listener = reactor
        .net()
        .listen(addr, members)
        .map_err(io::Error::other)?;
    super::announce(listener.address());
    reactor.run()
}
