//! A chat whose rooms span several processes: what is said in a room of one is heard in the same
//! room of all, because they publish it through Redis. That is the way to outgrow one machine.
//!
//! Run `cargo run --bin redis_chat 127.0.0.1:8007 127.0.0.1:6379` and the same with another first
//! port, then `nc -C 127.0.0.1 8007` and `nc -C` to the other. The first line that one types is the
//! room. Ctrl-C ends it.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use torsade::wire::redis::{Message, Redis, RedisSettings, Retry, Subscription};
use torsade::wire::{LineProtocol, LineTransport, Lines};
use torsade::{Connection, Disconnect, Reactor, Transport, factory};

/// The rooms that somebody of this process is in.
struct Rooms {
    /// Publishes. Another connection than the one that listens, because in RESP2, which an old
    /// server speaks, one that listens takes no other commands.
    speaker: Redis,
    listener: Redis,
    rooms: RefCell<BTreeMap<Bytes, Room>>,
}

/// Before the name of a room, to everybody in it who is heard and hears from now on.
const HEARS: &[u8] = b"* this is ";

#[derive(Default)]
struct Room {
    members: Vec<Connection>,
    /// There once the server has confirmed it.
    subscription: Option<Subscription>,
}

impl Rooms {
    fn new(speaker: Redis, listener: Redis) -> Rc<Self> {
        Rc::new(Self {
            speaker,
            listener,
            rooms: RefCell::default(),
        })
    }

    fn join(self: &Rc<Self>, name: &Bytes, member: Connection) {
        let mut rooms = self.rooms.borrow_mut();
        let room = rooms.entry(name.clone()).or_default();
        if room.subscription.is_some() {
            member.write([HEARS, &name[..], b"\r\n"].concat());
        }
        room.members.push(member);
        if room.members.len() > 1 {
            return;
        }
        let (all, name) = (Rc::clone(self), name.clone());
        let subscription = self.listener.subscribe(&[channel(&name)]);
        subscription.finish(move |result| match result {
            Ok(subscription) => all.listen(&name, subscription),
            Err(why) => all.tell(&name, format!("* nobody is heard here: {why}").as_bytes()),
        });
    }

    fn listen(self: &Rc<Self>, name: &Bytes, subscription: Subscription) {
        let mut rooms = self.rooms.borrow_mut();
        // If everybody has left meanwhile, the subscription is dropped, and so it ends.
        let Some(room) = rooms.get_mut(name) else {
            return;
        };
        let (all, here) = (Rc::downgrade(self), name.clone());
        subscription.on_message(move |message: Message| {
            if let Some(all) = all.upgrade() {
                all.tell(&here, &message.payload);
            }
        });
        let older = room.subscription.replace(subscription);
        drop(rooms);
        end(older);
        self.tell(name, &[HEARS, &name[..]].concat());
    }

    /// Everybody in this process who is in the room.
    fn tell(&self, name: &Bytes, line: &[u8]) {
        let line = Bytes::from([line, b"\r\n"].concat());
        if let Some(room) = self.rooms.borrow().get(name) {
            for member in &room.members {
                member.write_bytes(line.clone());
            }
        }
    }

    fn leave(&self, name: &Bytes, member: &Connection) {
        let mut rooms = self.rooms.borrow_mut();
        let Some(room) = rooms.get_mut(name) else {
            return;
        };
        room.members.retain(|other| other != member);
        if room.members.is_empty() {
            let empty = rooms.remove(name);
            drop(rooms);
            end(empty.and_then(|room| room.subscription));
        }
    }
}

/// Its callback goes on until it is said that it is enough.
fn end(subscription: Option<Subscription>) {
    if let Some(subscription) = subscription {
        subscription.unsubscribe().finish(|_| ());
    }
}

fn channel(room: &[u8]) -> Vec<u8> {
    [b"room:", room].concat()
}

struct Member {
    rooms: Rc<Rooms>,
    room: Option<Bytes>,
}

impl LineProtocol for Member {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.send_line("which room?");
    }

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        let Some(room) = &self.room else {
            let room = Bytes::copy_from_slice(line);
            self.rooms.join(&room, transport.connection());
            self.room = Some(room);
            return;
        };
        // It comes back to everybody, us included, in the one order that Redis gives it.
        let said = self.rooms.speaker.publish(channel(room), line);
        transport.then(said, |_, transport, said| {
            if let Err(why) = said {
                transport.send_line(format!("* that was not heard: {why}"));
            }
        });
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
        if let Some(room) = self.room.take() {
            self.rooms.leave(&room, &transport.connection());
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:8007".to_owned());
    let server = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:6379".to_owned());
    let mut reactor = Reactor::new()?;
    let net = reactor.net().clone();
    let client = || Redis::keep_connected(&net, &server, RedisSettings::new(), Retry::default());
    let rooms = Rooms::new(client()?, client()?);
    let members = factory(move |_| {
        let rooms = Rc::clone(&rooms);
        Lines::new(Member { rooms, room: None })
    });
    let listener = reactor.net().listen(&address, members)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade::wire::redis::RedisProtocol;
    use torsade_testing::StringTransport;

    type Server = StringTransport<RedisProtocol>;
    type Test = StringTransport<Lines<Member>>;

    fn client() -> (Redis, Server) {
        let (redis, protocol) = Redis::new(RedisSettings::new());
        let mut server = StringTransport::connect(protocol);
        server.feed("%0\r\n");
        server.take_sent();
        (redis, server)
    }

    fn member(rooms: &Rc<Rooms>, room: &str) -> Test {
        let rooms = Rc::clone(rooms);
        let mut t = StringTransport::serve(Lines::new(Member { rooms, room: None }));
        t.feed(format!("{room}\r\n"));
        assert_eq!(t.take_sent(), b"which room?\r\n");
        t
    }

    fn push(word: &str, text: &str) -> String {
        let length = text.len();
        let last = if word == "message" {
            format!("${length}\r\n{text}\r\n")
        } else {
            ":1\r\n".to_owned()
        };
        format!(">3\r\n+{word}\r\n$8\r\nroom:tea\r\n{last}")
    }

    #[test]
    fn what_is_said_goes_to_redis_and_what_it_says_to_the_room() {
        let ((speaker, mut speaks), (listener, mut listens)) = (client(), client());
        let rooms = Rooms::new(speaker, listener);
        let [mut ann, mut bob] = [(); 2].map(|()| member(&rooms, "tea"));
        let mut eve = member(&rooms, "milk");
        let sent = String::from_utf8(listens.take_sent()).unwrap();
        assert_eq!(sent.matches("SUBSCRIBE").count(), 2, "one for each room");
        listens.feed(push("subscribe", ""));
        assert_eq!(ann.take_sent(), b"* this is tea\r\n");
        assert_eq!(bob.take_sent(), b"* this is tea\r\n");
        let mut late = member_told(&rooms);
        assert_eq!(late.take_sent(), b"which room?\r\n* this is tea\r\n");
        ann.feed("hello\r\n");
        let said = b"*3\r\n$7\r\nPUBLISH\r\n$8\r\nroom:tea\r\n$5\r\nhello\r\n";
        assert_eq!(speaks.take_sent(), said);
        speaks.feed(":1\r\n");
        listens.feed(push("message", "hello"));
        assert_eq!(ann.take_sent(), b"hello\r\n");
        assert_eq!(bob.take_sent(), b"hello\r\n");
        assert_eq!(eve.take_sent(), b"");
    }

    #[test]
    fn the_last_who_leaves_ends_the_subscription_whenever_that_is() {
        let ((speaker, _speaks), (listener, mut listens)) = (client(), client());
        let rooms = Rooms::new(speaker, listener);
        let leaves: &[u8] = b"*2\r\n$11\r\nUNSUBSCRIBE\r\n$8\r\nroom:tea\r\n";
        let [mut ann, mut bob] = [(); 2].map(|()| member(&rooms, "tea"));
        listens.feed(push("subscribe", ""));
        listens.take_sent();
        ann.end();
        assert_eq!(listens.take_sent(), b"");
        bob.end();
        assert_eq!(listens.take_sent(), leaves);
        listens.feed(push("unsubscribe", ""));
        // Before it was confirmed.
        let mut ann = member(&rooms, "tea");
        listens.take_sent();
        ann.reset();
        assert_eq!(ann.lost(), Some(Disconnect::Reset));
        listens.feed(push("subscribe", ""));
        assert_eq!(listens.take_sent(), leaves);
        assert!(rooms.rooms.borrow().is_empty());
    }

    #[test]
    fn without_redis_everybody_is_told() {
        let ((speaker, mut speaks), (listener, mut listens)) = (client(), client());
        let rooms = Rooms::new(speaker, listener);
        speaks.reset();
        listens.reset();
        let mut ann = member_told(&rooms);
        let told = String::from_utf8(ann.take_sent()).unwrap();
        assert!(told.contains("* nobody is heard here: redis: "), "{told}");
        ann.feed("hello\r\n");
        assert!(
            ann.take_sent()
                .starts_with(b"* that was not heard: redis: ")
        );
    }

    fn member_told(rooms: &Rc<Rooms>) -> Test {
        let rooms = Rc::clone(rooms);
        let mut t = StringTransport::serve(Lines::new(Member { rooms, room: None }));
        t.feed("tea\r\n");
        t
    }
}
