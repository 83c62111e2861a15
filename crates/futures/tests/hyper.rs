//! hyper over our streams, with our executor and timer: servers and clients of both versions of
//! HTTP, and what its time-outs count.
#![cfg(feature = "hyper")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::rt::Timer;
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use torsade_core::Net;
use torsade_futures::hyper::{HyperExecutor, HyperTimer};
use torsade_futures::{Duplex, gather, open_connection, sleep, spawn, start_server, task_count};
use torsade_testing::MemoryReactor;

const SECOND: Duration = Duration::from_secs(1);
const ADDRESS: &str = "127.0.0.1:80";

fn get(path: &str) -> Request<Empty<Bytes>> {
    let request = Request::get(format!("http://torsade{path}"));
    request.body(Empty::new()).unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

/// Answers each request with its path, after as many seconds as that says. Nothing of it is `Send`.
async fn answer(
    net: Net,
    asked: Rc<Cell<u32>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    asked.set(asked.get() + 1);
    let path = request.uri().path().to_owned();
    let seconds = path.trim_start_matches('/').parse().unwrap_or(0);
    sleep(&net, Duration::from_secs(seconds)).await;
    Ok(Response::new(Full::new(Bytes::from(path))))
}

#[test]
fn a_client_and_a_server_of_http_1_on_one_reactor() {
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let asked = Rc::new(Cell::new(0));
    let (served, counted) = (net.clone(), Rc::clone(&asked));
    start_server(&net, ADDRESS, async move |reader, writer| {
        let service = service_fn(|it| answer(served.clone(), Rc::clone(&counted), it));
        let both = Duplex::new(reader, writer);
        server::conn::http1::Builder::new()
            .timer(HyperTimer::new(&served))
            .serve_connection(both, service)
            .await
    })
    .unwrap();
    reactor.join();
    let clock = net.clone();
    let texts = reactor.block_on(async move {
        let (reader, writer) = open_connection(&net, ADDRESS).await.unwrap();
        let both = Duplex::new(reader, writer);
        let (mut client, connection) = client::conn::http1::handshake(both).await.unwrap();
        let connection = spawn(&net, connection);
        let mut texts = Vec::new();
        for path in ["/0", "/3"] {
            client.ready().await.unwrap();
            texts.push(text(client.send_request(get(path)).await.unwrap()).await);
        }
        drop(client);
        connection.await.unwrap().unwrap();
        texts
    });
    assert_eq!(texts, ["/0", "/3"]);
    assert_eq!(asked.get(), 2);
    reactor.settle();
    assert_eq!((clock.connections(), task_count(&clock)), (0, 0));
}

/// The requests of one connection of HTTP/2 are tasks beside each other: those of the executor.
#[test]
fn a_client_and_a_server_of_http_2_whose_requests_are_tasks_of_the_executor() {
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let asked = Rc::new(Cell::new(0));
    let (served, counted) = (net.clone(), Rc::clone(&asked));
    start_server(&net, ADDRESS, async move |reader, writer| {
        let service = service_fn(|it| answer(served.clone(), Rc::clone(&counted), it));
        server::conn::http2::Builder::new(HyperExecutor::new(&served))
            .timer(HyperTimer::new(&served))
            .serve_connection(Duplex::new(reader, writer), service)
            .await
    })
    .unwrap();
    reactor.join();
    let clock = net.clone();
    let before = clock.now();
    let texts = reactor.block_on(async move {
        let (reader, writer) = open_connection(&net, ADDRESS).await.unwrap();
        let (client, connection) = client::conn::http2::Builder::new(HyperExecutor::new(&net))
            .handshake(Duplex::new(reader, writer))
            .await
            .unwrap();
        spawn(&net, connection).detach();
        let asking = ["/5", "/3", "/4"].map(|path| {
            let mut client = client.clone();
            async move {
                let response = client.send_request(get(path)).await?;
                Ok::<_, hyper::Error>(text(response).await)
            }
        });
        gather(&net, asking).await.unwrap()
    });
    assert_eq!(texts, ["/5", "/3", "/4"]);
    assert_eq!(asked.get(), 3);
    assert_eq!(clock.now() - before, 5 * SECOND); // and not 12: side by side
    reactor.settle();
    assert_eq!((clock.connections(), task_count(&clock)), (0, 0));
}

/// What a client of HTTP/2 says first: its preface, and settings without any.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[test]
fn a_peer_of_http_2_that_answers_no_ping_is_left_when_the_virtual_time_is_over() {
    let mut reactor = MemoryReactor::new();
    let served = reactor.net().clone();
    start_server(reactor.net(), ADDRESS, async move |reader, writer| {
        let service = service_fn(|it| answer(served.clone(), Rc::default(), it));
        server::conn::http2::Builder::new(HyperExecutor::new(&served))
            .timer(HyperTimer::new(&served))
            .keep_alive_interval(Some(100 * SECOND))
            .keep_alive_timeout(10 * SECOND)
            .serve_connection(Duplex::new(reader, writer), service)
            .await
    })
    .unwrap();
    let mut far = reactor.dial(ADDRESS);
    far.feed(PREFACE);
    reactor.advance(99 * SECOND);
    far.take_sent();
    reactor.advance(2 * SECOND);
    assert_eq!(far.take_sent()[3], 6, "a ping");
    reactor.advance(8 * SECOND);
    assert!(!far.has_ended());
    reactor.advance(2 * SECOND);
    assert!(far.has_ended());
    assert_eq!(reactor.net().free_timers().len(), 0);
}

#[test]
fn a_client_of_http_1_that_does_not_finish_its_question_has_the_virtual_time_that_was_set() {
    let mut reactor = MemoryReactor::new();
    let served = reactor.net().clone();
    start_server(reactor.net(), ADDRESS, async move |reader, writer| {
        let service = service_fn(|it| answer(served.clone(), Rc::default(), it));
        server::conn::http1::Builder::new()
            .timer(HyperTimer::new(&served))
            .header_read_timeout(10 * SECOND)
            .serve_connection(Duplex::new(reader, writer), service)
            .await
    })
    .unwrap();
    let mut far = reactor.dial(ADDRESS);
    far.feed("GET /0 HT");
    reactor.advance(10 * SECOND - Duration::from_millis(1));
    assert!(!far.has_ended());
    reactor.advance(Duration::from_millis(1));
    assert!(far.has_ended());
}

#[test]
fn the_timer_runs_by_the_clock_of_its_reactor() {
    let mut reactor = MemoryReactor::new();
    let timer = HyperTimer::new(reactor.net());
    let start = timer.now();
    assert_eq!(timer.now(), start); // the real one would have gone on
    reactor.advance(3 * SECOND);
    assert_eq!(timer.now() - start, 3 * SECOND);
    let mut naps = [
        timer.sleep(SECOND),
        timer.sleep_until(start + 5 * SECOND),
        timer.sleep_until(start),
        timer.sleep(SECOND),
    ];
    timer.reset(&mut naps[3], start + 6 * SECOND);
    assert_eq!(reactor.net().free_timers().len(), 4);
    let mut awake = || {
        let mut context = Context::from_waker(Waker::noop());
        naps.each_mut()
            .map(|nap| nap.as_mut().poll(&mut context).is_ready())
    };
    assert_eq!(awake(), [false; 4]);
    reactor.settle();
    assert_eq!(awake(), [false, false, true, false]);
    reactor.advance(SECOND);
    assert_eq!(awake(), [true, false, true, false]);
    reactor.advance(SECOND);
    assert_eq!(awake(), [true, true, true, false]);
    reactor.advance(SECOND);
    assert_eq!(awake(), [true; 4]);
}

#[test]
fn a_sleep_that_is_dropped_leaves_no_timer_and_one_of_a_reactor_that_is_gone_never_ends() {
    let reactor = MemoryReactor::new();
    let timer = HyperTimer::new(reactor.net());
    let nap = timer.sleep(SECOND);
    assert_eq!(reactor.net().free_timers().len(), 1);
    drop(nap);
    assert_eq!(reactor.net().free_timers().len(), 0);
    drop(reactor);
    let mut after = timer.sleep(SECOND);
    let mut context = Context::from_waker(Waker::noop());
    assert!(after.as_mut().poll(&mut context).is_pending());
    let real = torsade_reactor::Reactor::new().unwrap();
    let mut before = HyperTimer::new(real.net()).sleep(Duration::ZERO);
    drop(real);
    assert!(before.as_mut().poll(&mut context).is_pending());
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the other thread is what is tested"
)]
fn a_timer_that_was_carried_to_another_thread_sleeps_and_is_given_up_there() {
    let mut reactor = torsade_reactor::Reactor::new().unwrap();
    let net = reactor.net().clone();
    let timer = HyperTimer::new(&net);
    let mut naps = std::thread::spawn(move || {
        let deadline = timer.now() + Duration::from_millis(2);
        let naps = [
            timer.sleep(Duration::from_millis(1)),
            timer.sleep_until(deadline),
        ];
        drop(timer.sleep(3600 * SECOND));
        naps
    })
    .join()
    .unwrap();
    let slept = reactor.block_on(async move {
        for nap in &mut naps {
            nap.as_mut().await;
        }
    });
    slept.unwrap();
    assert_eq!(net.free_timers().len(), 0);
}

#[test]
fn a_panic_of_a_future_that_hyper_gave_to_the_executor_is_reported() {
    use hyper::rt::Executor;
    let mut reactor = MemoryReactor::new();
    reactor.expect_unhandled("no tea");
    let executor = HyperExecutor::new(reactor.net());
    executor.execute(async { panic!("no tea") });
    executor.execute(pending::<()>());
    let polled = Rc::new(Cell::new(false));
    let flag = Rc::clone(&polled);
    executor.execute(async move { flag.set(true) });
    assert!(!polled.get());
    reactor.settle();
    assert!(polled.get());
    assert_eq!(task_count(reactor.net()), 1);
}
