//! What is written against tokio's `AsyncRead` and `AsyncWrite`, over our streams and without its
//! runtime.
#![cfg(feature = "tokio")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy, copy_bidirectional,
};
use torsade_core::{Address, Net};
use torsade_futures::{Duplex, open_connection, spawn, start_server, task_count};
use torsade_testing::MemoryReactor;

const ADDRESS: &str = "127.0.0.1:8007";

fn serve_echo(net: &Net, address: &str) -> Address {
    let listener = start_server(net, address, async |mut reader, mut writer| {
        copy(&mut reader, &mut writer).await?;
        AsyncWriteExt::shutdown(&mut writer).await
    });
    listener.unwrap().address()
}

#[test]
fn an_echo_by_copy_passes_bytes_and_the_end_and_waits_for_a_slow_peer() {
    let reactor = MemoryReactor::new();
    serve_echo(reactor.net(), ADDRESS);
    let mut far = reactor.dial(ADDRESS);
    far.feed("hello");
    assert_eq!(far.take_sent(), b"hello");
    far.set_window(0);
    let sent: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
    far.feed(&sent);
    assert!(reactor.net().buffered() < 200_000 && !far.is_reading());
    far.set_window(usize::MAX);
    reactor.settle();
    assert!(far.take_sent() == sent, "other bytes, or others in between");
    assert!(!far.has_ended());
    far.end();
    assert!(far.has_ended() && !far.has_reset());
    assert_eq!(task_count(reactor.net()), 0);
}

#[test]
fn a_proxy_by_copy_bidirectional_passes_both_ways_and_each_end_by_itself() {
    let reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    start_server(reactor.net(), ADDRESS, async move |reader, writer| {
        let mut near = Duplex::new(reader, writer);
        let (reader, writer) = open_connection(&net, "192.0.2.1:80").await.unwrap();
        let mut far = Duplex::new(reader, writer);
        let counts = copy_bidirectional(&mut near, &mut far).await?;
        assert_eq!(counts, (8, 6));
        Ok::<(), std::io::Error>(())
    })
    .unwrap();
    let mut ann = reactor.dial(ADDRESS);
    ann.feed("question");
    let mut server = reactor.next_connect().succeed();
    assert_eq!(server.take_sent(), b"question");
    ann.end();
    assert!(server.has_ended() && !ann.has_ended());
    server.feed("answer");
    assert_eq!(ann.take_sent(), b"answer");
    server.end();
    assert!(ann.has_ended() && !ann.has_reset());
    assert_eq!(task_count(reactor.net()), 0);
}

#[test]
fn readers_and_writers_have_tokios_methods() {
    let reactor = MemoryReactor::new();
    start_server(reactor.net(), ADDRESS, async |reader, mut writer| {
        let mut reader = BufReader::with_capacity(3, reader);
        let mut line = String::new();
        AsyncBufReadExt::read_line(&mut reader, &mut line).await?;
        let mut four = [0; 4];
        reader.read_exact(&mut four).await?;
        // Nothing fits, so nothing is read and nobody waits.
        assert_eq!(AsyncReadExt::read(reader.get_mut(), &mut []).await?, 0);
        AsyncWriteExt::write_all(&mut writer, line.to_uppercase().as_bytes()).await?;
        writer.write_all(&four).await?;
        AsyncWriteExt::flush(&mut writer).await
    })
    .unwrap();
    let mut far = reactor.dial(ADDRESS);
    far.feed_bytewise("one line\n1234");
    assert_eq!(far.take_sent(), b"ONE LINE\n1234");
    reactor.settle();
    assert!(far.has_ended());
}

#[test]
fn a_lost_connection_has_an_error_of_its_kind() {
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let asking = spawn(reactor.net(), async move {
        let (mut reader, mut writer) = open_connection(&net, "192.0.2.1:80").await.unwrap();
        let read = AsyncReadExt::read_u32(&mut reader).await.unwrap_err();
        let flushed = AsyncWriteExt::flush(&mut writer).await.unwrap_err();
        let written = AsyncWriteExt::write(&mut writer, b"more")
            .await
            .unwrap_err();
        [read.kind(), flushed.kind(), written.kind()]
    });
    let mut far = reactor.next_connect().succeed();
    far.feed("123");
    far.reset();
    let kinds = reactor.block_on(asking);
    assert_eq!(kinds, Ok([ErrorKind::ConnectionReset; 3]));
}

#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the other end is a plain socket"
)]
fn an_echo_by_copy_on_real_sockets() {
    let mut reactor = torsade_reactor::Reactor::new().unwrap();
    let address = serve_echo(reactor.net(), "127.0.0.1:0").to_string();
    let plain = std::thread::spawn(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.write_all(b"by hand").unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        answer
    });
    while !plain.is_finished() {
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
    assert_eq!(plain.join().unwrap(), b"by hand");
}
