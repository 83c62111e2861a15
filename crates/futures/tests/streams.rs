//! Streams: what is read, what waits, what is said at the end.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::Duration;

use futures_util::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use torsade_core::{Disconnect, Limits, Net};
use torsade_futures::{
    Elapsed, ReadError, StreamReader, StreamWriter, Task, open_connection, spawn, start_server,
    timeout,
};
use torsade_testing::{FarEnd, MemoryReactor};

const SECOND: Duration = Duration::from_secs(1);

/// The streams of a connection, and its other end.
fn dialled(reactor: &MemoryReactor) -> (StreamReader, StreamWriter, FarEnd) {
    let got = Rc::new(RefCell::new(None));
    let place = Rc::clone(&got);
    let listener = start_server(
        reactor.net(),
        "127.0.0.1:8007",
        async move |reader, writer| {
            *place.borrow_mut() = Some((reader, writer));
        },
    );
    let far = reactor.dial("127.0.0.1:8007");
    listener.unwrap().close();
    let (reader, writer) = got.take().unwrap();
    (reader, writer, far)
}

/// Runs `read` on the reader as a task, and gives that and the reader back.
fn reading<T: 'static>(
    net: &Net,
    mut reader: StreamReader,
    read: impl AsyncFnOnce(&mut StreamReader) -> T + 'static,
) -> Task<(T, StreamReader)> {
    spawn(net, async move { (read(&mut reader).await, reader) })
}

#[test]
fn read_gives_what_there_is_and_nothing_at_the_end() {
    let mut reactor = MemoryReactor::new();
    let (mut reader, _writer, mut far) = dialled(&reactor);
    far.feed("abc");
    far.end();
    reactor.block_on(async move {
        assert_eq!(reader.read(0).await.unwrap(), b"");
        assert_eq!(reader.read(2).await.unwrap(), b"ab");
        assert!(!reader.is_at_end());
        assert_eq!(reader.read(9).await.unwrap(), b"c");
        assert_eq!(reader.read(9).await.unwrap(), b"");
        assert!(reader.is_at_end());
    });
}

#[test]
fn a_line_cut_anywhere_is_read_whole_and_the_last_may_lack_its_end() {
    let mut reactor = MemoryReactor::new();
    let (mut reader, _writer, mut far) = dialled(&reactor);
    far.feed_bytewise("one\r\n\ntwo");
    far.end();
    let lines = reactor.block_on(async move {
        let mut lines = vec![reader.read_until("\r\n").await.unwrap()];
        for _ in 0..3 {
            lines.push(reader.read_line().await.unwrap());
        }
        lines
    });
    assert_eq!(
        lines,
        [
            b"one\r\n".to_vec(),
            b"\n".to_vec(),
            b"two".to_vec(),
            Vec::new()
        ]
    );
}

#[test]
fn what_is_missing_at_the_end_is_an_error_with_what_there_was() {
    let mut reactor = MemoryReactor::new();
    let (mut reader, _writer, mut far) = dialled(&reactor);
    far.feed("abcdef");
    far.end();
    reactor.block_on(async move {
        assert_eq!(reader.read_exactly(2).await.unwrap(), b"ab");
        let error = reader.read_exactly(9).await.unwrap_err();
        assert_eq!(
            error,
            ReadError::Incomplete {
                partial: b"cdef".to_vec()
            }
        );
        assert!(matches!(
            reader.read_until("x").await,
            Err(ReadError::Incomplete { .. })
        ));
    });
}

#[test]
fn a_line_longer_than_the_limit_is_an_error_and_stays_to_be_read() {
    let mut reactor = MemoryReactor::new();
    let (mut reader, _writer, mut far) = dialled(&reactor);
    reader.set_limit(4);
    far.feed("abcdefgh\n");
    reactor.block_on(async move {
        let error = reader.read_line().await.unwrap_err();
        assert_eq!(error, ReadError::LimitOverrun { limit: 4 });
        assert_eq!(reader.read(9).await.unwrap(), b"abcd");
        assert_eq!(reader.read(9).await.unwrap(), b"efgh");
        assert_eq!(reader.read_line().await.unwrap(), b"\n");
    });
}

#[test]
fn what_nobody_reads_waits_with_the_peer_and_comes_when_it_is_read() {
    let mut reactor = MemoryReactor::new();
    let (mut reader, _writer, mut far) = dialled(&reactor);
    reader.set_limit(10);
    far.feed([7; 25]);
    assert_eq!((reader.buffered(), far.is_reading()), (10, false));
    // More than the limit, asked for by number, must come all the same.
    let (got, reader) = reactor.block_on(async move {
        let got = reader.read_exactly(24).await.unwrap();
        (got, reader)
    });
    assert_eq!(got, [7; 24]);
    assert_eq!(reader.limit(), 10);
    assert!(reader.buffered() <= 1 && far.is_reading());
}

#[test]
fn a_read_that_is_given_up_loses_nothing() {
    let mut reactor = MemoryReactor::new();
    let (mut reader, _writer, mut far) = dialled(&reactor);
    let net = reactor.net().clone();
    far.feed("half a li");
    let (early, mut reader) = reactor.block_on(async move {
        let early = timeout(&net, SECOND, reader.read_line()).await;
        assert!(
            timeout(&net, SECOND, reader.read_exactly(100_000))
                .await
                .is_err()
        );
        (early.map(drop), reader)
    });
    assert_eq!(early, Err(Elapsed));
    far.feed("ne\n");
    let line = reactor.block_on(async move { reader.read_line().await });
    assert_eq!(line.unwrap(), b"half a line\n");
}

#[test]
fn after_a_reset_what_had_come_is_read_and_then_the_reason() {
    let mut reactor = MemoryReactor::new();
    let (mut reader, writer, mut far) = dialled(&reactor);
    far.feed("abc");
    far.reset();
    reactor.block_on(async move {
        assert_eq!(reader.read(9).await, Ok(b"abc".to_vec()));
        assert_eq!(reader.read(9).await, Err(Disconnect::Reset));
        assert_eq!(
            reader.read_line().await,
            Err(ReadError::Lost(Disconnect::Reset))
        );
        assert_eq!(writer.drain().await, Err(Disconnect::Reset));
        assert_eq!(writer.wait_closed().await, Err(Disconnect::Reset));
    });
}

#[test]
fn read_to_end_is_bounded() {
    let mut reactor = MemoryReactor::new();
    let (mut reader, _writer, mut far) = dialled(&reactor);
    far.feed([1; 100]);
    far.end();
    reactor.block_on(async move {
        let error = reader.read_to_end(99).await.unwrap_err();
        assert_eq!(error, ReadError::LimitOverrun { limit: 99 });
        assert_eq!(reader.read_to_end(100).await.unwrap(), [1; 100]);
    });
}

#[test]
fn drain_waits_while_the_peer_is_behind_and_all_who_wait_go_on() {
    let mut reactor = MemoryReactor::new();
    let (_reader, writer, mut far) = dialled(&reactor);
    let writer = Rc::new(writer);
    far.set_window(0);
    writer.write(vec![0; 100_000]);
    let drains = [(); 3].map(|()| {
        let writer = Rc::clone(&writer);
        spawn(reactor.net(), async move { writer.drain().await })
    });
    reactor.settle();
    assert!(!drains.iter().any(Task::is_finished));
    far.set_window(usize::MAX);
    reactor.settle();
    for drain in drains {
        assert_eq!(reactor.block_on(drain), Ok(Ok(())));
    }
}

#[test]
fn a_half_closed_peer_gets_its_answer_and_the_end_after_it() {
    let mut reactor = MemoryReactor::new();
    let (reader, writer, mut far) = dialled(&reactor);
    let answer = reading(reactor.net(), reader, async move |reader| {
        let asked = reader.read_to_end(1000).await.unwrap();
        writer.write(asked.to_ascii_uppercase());
        writer.write_eof();
        writer.wait_closed().await
    });
    far.feed("question");
    far.end();
    assert_eq!(far.take_sent(), b"QUESTION");
    assert_eq!(reactor.block_on(answer).unwrap().0, Ok(()));
}

#[test]
fn a_dropped_writer_closes_and_a_dropped_reader_leaves_much_input_unread() {
    let reactor = MemoryReactor::new();
    let (reader, writer, mut far) = dialled(&reactor);
    far.feed("nobody reads this");
    drop(reader);
    far.feed("nor this");
    assert!(far.is_reading());
    far.feed(vec![b'x'; 64 * 1024]);
    assert!(!far.is_reading());
    writer.write("bye");
    drop(writer);
    assert_eq!(far.take_sent(), b"bye");
    assert!(far.has_ended() && !far.has_reset());
}

#[test]
fn a_failing_handler_gives_the_reason_and_a_panicking_one_is_aborted_and_reported() {
    let mut reactor = MemoryReactor::new();
    reactor.expect_unhandled("no tea");
    let reasons = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&reasons);
    let net = reactor.net();
    let handler = async move |mut reader: StreamReader, writer: StreamWriter| {
        let seen = Rc::clone(&seen);
        let closed = writer.connection().closed();
        closed.finish(move |reason| seen.borrow_mut().push(reason.unwrap()));
        match &*reader.read(9).await.unwrap() {
            b"fail" => {
                writer.write("sorry");
                Err("no coffee")
            }
            b"panic" => panic!("no tea"),
            _ => Ok(()),
        }
    };
    start_server(net, "127.0.0.1:8007", handler).unwrap();
    let mut far = [(); 3].map(|()| reactor.dial("127.0.0.1:8007"));
    for (far, says) in far.iter_mut().zip(["fail", "panic", "end"]) {
        far.feed(says);
    }
    assert_eq!(far[0].take_sent(), b"sorry");
    assert!(far[1].has_reset());
    let reasons = reasons.borrow();
    assert_eq!(reasons[0], Disconnect::application("no coffee"));
    assert!(matches!(&reasons[1], Disconnect::Panicked(panic) if panic.message() == "no tea"));
    assert_eq!(reasons[2], Disconnect::Closed);
}

#[test]
fn an_attempt_that_is_given_up_leaves_nothing_open() {
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let given_up = reactor.block_on(async move {
        let connecting = open_connection(&net, "192.0.2.1:80");
        timeout(&net, SECOND, connecting.into_future())
            .await
            .is_err()
    });
    assert!(given_up);
    assert!(reactor.pending_connects().is_empty());
    assert_eq!(reactor.net().connections(), 0);
}

#[test]
fn a_stop_closes_and_the_handler_sees_the_end() {
    let reactor = MemoryReactor::new();
    let ended = Rc::new(Cell::new(false));
    let flag = Rc::clone(&ended);
    let handler = async move |mut reader: StreamReader, _writer: StreamWriter| {
        assert_eq!(reader.read(9).await.unwrap(), b"");
        flag.set(true);
    };
    start_server(reactor.net(), "127.0.0.1:8007", handler).unwrap();
    let far = reactor.dial("127.0.0.1:8007");
    reactor.net().stop();
    reactor.settle();
    assert!(ended.get() && far.has_ended() && reactor.has_stopped());
}

#[test]
fn futures_io_reads_and_writes() {
    let mut reactor = MemoryReactor::new();
    let (mut reader, mut writer, mut far) = dialled(&reactor);
    far.feed("line one\nrest");
    far.end();
    reactor.block_on(async move {
        let mut line = String::new();
        reader.read_line_with(&mut line).await;
        assert_eq!(line, "line one\n");
        let mut rest = Vec::new();
        AsyncReadExt::read_to_end(&mut reader, &mut rest)
            .await
            .unwrap();
        assert_eq!(rest, b"rest");
        AsyncWriteExt::write_all(&mut writer, b"answer")
            .await
            .unwrap();
        AsyncWriteExt::flush(&mut writer).await.unwrap();
        AsyncWriteExt::close(&mut writer).await.unwrap();
    });
    assert_eq!(far.take_sent(), b"answer");
}

trait ReadLineWith {
    async fn read_line_with(&mut self, line: &mut String);
}

impl ReadLineWith for StreamReader {
    /// By the trait's method, which the type's own would hide.
    async fn read_line_with(&mut self, line: &mut String) {
        AsyncBufReadExt::read_line(self, line).await.unwrap();
    }
}

#[test]
fn a_writer_of_futures_io_waits_while_the_peer_is_behind() {
    let reactor = MemoryReactor::with_limits(Limits::default());
    let (_reader, mut writer, mut far) = dialled(&reactor);
    far.set_window(0);
    let task = spawn(reactor.net(), async move {
        for _ in 0..100 {
            AsyncWriteExt::write_all(&mut writer, &[0; 10_000])
                .await
                .unwrap();
        }
    });
    reactor.settle();
    assert!(!task.is_finished() && reactor.net().buffered() < 100_000);
    far.set_window(usize::MAX);
    reactor.settle();
    assert!(task.is_finished());
    assert_eq!(far.take_sent().len(), 1_000_000);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the other end is a plain socket"
)]
fn streams_on_real_sockets() {
    let mut reactor = torsade_reactor::Reactor::new().unwrap();
    let net = reactor.net().clone();
    let handler = async move |mut reader: StreamReader, writer: StreamWriter| {
        loop {
            let chunk = reader.read(100_000).await?;
            if chunk.is_empty() {
                return Ok::<(), Disconnect>(());
            }
            writer.write(&chunk);
            writer.drain().await?;
        }
    };
    let address = start_server(&net, "127.0.0.1:0", handler)
        .unwrap()
        .address()
        .inet()
        .unwrap();
    let plain = std::thread::spawn(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.write_all(b"by hand").unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        answer
    });
    let megabyte = reactor.block_on(async move {
        let (mut reader, writer) = open_connection(&net, address).await.unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
        writer.write(&sent);
        let got = reader.read_exactly(sent.len()).await.unwrap();
        writer.close();
        writer.wait_closed().await.unwrap();
        got == sent
    });
    assert!(megabyte.unwrap());
    while !plain.is_finished() {
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
    assert_eq!(plain.join().unwrap(), b"by hand");
}
