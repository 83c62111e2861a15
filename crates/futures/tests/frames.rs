//! Messages as streams and sinks; connections that go from callbacks to coroutines and back.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::{SinkExt, StreamExt};
use torsade_core::{Disconnect, Limit, Protocol, Transport};
use torsade_deferred::{Deferred, Failure};
use torsade_futures::sync::Event;
use torsade_futures::{
    FrameWriter, Frames, ReadError, SendError, StreamReader, StreamWriter, deferred_stream, spawn,
    start_server, switch_to_streams,
};
use torsade_testing::{FarEnd, MemoryReactor, StringTransport};
use torsade_wire::{Int8, Int16, Netstring, TooLong};

type Items = Vec<Result<Vec<u8>, Disconnect>>;

/// What a stream of frames of at most five bytes makes of these pieces and an end.
fn frames(pieces: &[&[u8]]) -> Items {
    let reactor = MemoryReactor::new();
    let items = Rc::new(RefCell::new(Vec::new()));
    let place = Rc::clone(&items);
    let served = start_server(
        reactor.net(),
        "127.0.0.1:8007",
        async move |reader, _writer| {
            let framing = Int16::default();
            let mut frames = Frames::new(reader, framing, <[u8]>::to_vec).max_length(5);
            while let Some(item) = frames.next().await {
                place.borrow_mut().push(item);
            }
            assert!(frames.next().await.is_none());
        },
    );
    served.unwrap();
    let mut far = reactor.dial("127.0.0.1:8007");
    for piece in pieces {
        far.feed(piece);
    }
    far.end();
    reactor.settle();
    items.take()
}

#[test]
fn messages_come_whole_however_they_are_cut() {
    let all = b"\0\x03one\0\0\0\x05three";
    let want: Items = [&b"one"[..], b"", b"three"]
        .map(|it| Ok(it.to_vec()))
        .into();
    for cut in 0..all.len() {
        let (front, back) = all.split_at(cut);
        assert_eq!(frames(&[front, back]), want, "cut at {cut}");
    }
}

#[test]
fn a_message_too_long_is_an_error_and_the_next_one_comes() {
    let items = frames(&[b"\0\x09nine", b"bytes\0\x03one"]);
    let want: Items = vec![
        Err(Disconnect::LimitPassed(Limit::Message)),
        Ok(b"one".to_vec()),
    ];
    assert_eq!(items, want);
}

#[test]
fn an_end_inside_a_message_is_an_error_and_the_last() {
    let items = frames(&[b"\0\x03one\0\x03tw"]);
    let cut = Disconnect::protocol("the end came inside a message");
    assert_eq!(items, [Ok(b"one".to_vec()), Err(cut)]);
}

#[test]
fn a_sink_waits_while_the_peer_is_behind_and_refuses_what_cannot_be_said() {
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let reader_and_writer = Rc::new(RefCell::new(None));
    let place = Rc::clone(&reader_and_writer);
    start_server(&net, "127.0.0.1:8007", async move |reader, writer| {
        *place.borrow_mut() = Some((reader, writer));
    })
    .unwrap();
    let mut far = reactor.dial("127.0.0.1:8007");
    let (_reader, writer) = reader_and_writer.take().unwrap();
    far.set_window(0);
    let sending = spawn(&net, async move {
        let mut sink = FrameWriter::<Int8>::new(writer);
        let refused = sink.send([0; 256]).await;
        for _ in 0..1000 {
            sink.send([7; 255]).await?;
        }
        SinkExt::<[u8; 0]>::close(&mut sink).await?;
        Ok::<_, SendError>(refused)
    });
    reactor.settle();
    assert!(!sending.is_finished());
    far.set_window(usize::MAX);
    let too_long = TooLong {
        length: 256,
        max: 255,
    };
    let refused = reactor.block_on(sending).unwrap();
    assert_eq!(refused, Ok(Err(SendError::TooLong(too_long))));
    assert_eq!(far.take_sent().len(), 1000 * 256);
    assert!(far.has_ended());
}

#[test]
fn a_stream_of_deferreds_asks_when_it_is_polled_and_ends_with_an_error() {
    let mut reactor = MemoryReactor::new();
    let mut asked = 0;
    let stream = deferred_stream(move || {
        asked += 1;
        match asked {
            3 => Deferred::fail("no more"),
            number => Deferred::succeed(Some(number)),
        }
    });
    let all = reactor.block_on(stream.collect::<Vec<_>>());
    assert_eq!(all, [Ok(1), Ok(2), Err(Failure::Error("no more"))]);
}

/// Lines in callbacks until `go`, then netstrings in a coroutine until `back`, then callbacks again.
struct Callbacks(&'static str);

impl Protocol for Callbacks {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let Some(end) = data.iter().position(|&byte| byte == b'\n') else {
            return transport.unread(data.len());
        };
        transport.unread(data.len() - end - 1);
        transport.write_parts(&[self.0.as_bytes(), &data[..=end]]);
        if &data[..end] == b"go" {
            switch_to_streams(transport, async |reader, writer| {
                let mut words = Frames::new(reader, Netstring::default(), <[u8]>::to_vec);
                while let Some(word) = words.next().await {
                    let word = word?;
                    writer.write_parts(&[&b"<"[..], &word, b">\n"]);
                    if word == b"back" {
                        words.into_reader().switch(writer, Self("b:"));
                        break;
                    }
                }
                Ok::<(), Disconnect>(())
            });
        } else {
            transport.unread(data.len() - end - 1);
            transport.pause_reading();
            transport.call(|_, transport| transport.resume_reading());
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        transport.write_parts(&[self.0, "end"]);
        transport.close();
    }
}

#[test]
fn a_connection_goes_to_a_coroutine_and_back_wherever_its_bytes_are_cut() {
    let all = b"one\ngo\n3:two,4:back,three\nfour\n";
    for cut in 0..=all.len() {
        let mut t = StringTransport::serve(Callbacks("a:"));
        t.feed(&all[..cut]);
        t.feed(&all[cut..]);
        t.end();
        let sent = String::from_utf8(t.take_sent()).unwrap();
        let want = "a:one\na:go\n<two>\n<back>\nb:three\nb:four\nb:end";
        assert_eq!(sent, want, "cut at {cut}");
    }
}

#[test]
fn an_end_that_was_read_is_told_to_the_protocol_that_takes_over() {
    let reactor = MemoryReactor::new();
    start_server(
        reactor.net(),
        "127.0.0.1:8007",
        async |mut reader, writer| {
            reader.read_to_end(100).await?;
            reader.switch(writer, Callbacks(""));
            Ok::<(), ReadError>(())
        },
    )
    .unwrap();
    let mut far = reactor.dial("127.0.0.1:8007");
    far.feed("all");
    far.end();
    assert_eq!(far.take_sent(), b"end");
    assert!(far.has_ended());
}

/// The streams of a connection, and its other end.
fn dialled(reactor: &MemoryReactor) -> (StreamReader, StreamWriter, FarEnd) {
    let got = Rc::new(RefCell::new(None));
    let place = Rc::clone(&got);
    let listener = start_server(reactor.net(), "127.0.0.1:9", async move |reader, writer| {
        *place.borrow_mut() = Some((reader, writer));
    });
    let far = reactor.dial("127.0.0.1:9");
    listener.unwrap().close();
    let (reader, writer) = got.take().unwrap();
    (reader, writer, far)
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

#[test]
fn what_came_before_a_switch_and_was_never_looked_at_is_given_to_the_protocol() {
    let reactor = MemoryReactor::new();
    let (mut reader, writer, mut far) = dialled(&reactor);
    far.feed("go\nabc");
    let event = Event::new();
    let waits = event.clone();
    spawn(reactor.net(), async move {
        assert_eq!(reader.read_line().await.unwrap(), b"go\n");
        waits.wait().await;
        reader.switch(writer, Echo);
    })
    .detach();
    reactor.settle();
    far.feed("def");
    event.set();
    assert_eq!(far.take_sent(), b"abcdef");
    // As before the streams, output holds input back.
    far.set_window(0);
    for _ in 0..10 {
        far.feed(vec![b'x'; 20_000]);
    }
    assert!(!far.is_reading());
}

#[test]
fn frames_read_ahead_as_far_as_their_messages_need_and_no_less_than_the_reader() {
    let mut reactor = MemoryReactor::new();
    let (mut reader, _writer, mut far) = dialled(&reactor);
    reader.set_limit(50);
    let words = Frames::new(reader, Netstring::default(), <[u8]>::len).max_length(5);
    let reader = words.into_reader();
    assert!(reader.limit() >= 50);
    let mut words = Frames::new(reader, Netstring::default(), <[u8]>::len).max_length(100_000);
    far.feed(b"100000:");
    far.feed(vec![b'x'; 100_000]);
    far.feed(b",");
    assert_eq!(
        reactor.block_on(async move { words.next().await }),
        Some(Ok(100_000))
    );
}

#[test]
fn closing_a_sink_ends_our_side_alone_and_a_loss_is_said() {
    let mut reactor = MemoryReactor::new();
    let (reader, writer, far) = dialled(&reactor);
    let sink = reactor.block_on(async move {
        let mut sink = FrameWriter::<Int8>::new(writer);
        SinkExt::<[u8; 0]>::close(&mut sink).await.unwrap();
        sink
    });
    assert!(far.has_ended() && sink.get_ref().connection().is_open());
    drop((reader, sink));
    let (_reader, writer, mut far) = dialled(&reactor);
    far.reset();
    let lost = reactor.block_on(async move {
        let mut sink = FrameWriter::<Int8>::new(writer);
        SinkExt::<[u8; 0]>::flush(&mut sink).await
    });
    assert_eq!(lost, Err(SendError::Lost(Disconnect::Reset)));
}
