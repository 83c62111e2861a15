//! HTTP by hyper over torsade: its server on our streams, with our executor and timer, and no other
//! runtime.
//!
//! Run `cargo run --bin http_server`, then `curl http://127.0.0.1:8080/hello` in another terminal.
//! `/big` has three megabytes, and a POST to `/echo` comes back. Ctrl-C ends it.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use torsade::futures::hyper::HyperTimer;
use torsade::futures::{Duplex, start_server};
use torsade::{ListenError, Listener, Net, Reactor};

/// A client that has not said what it wants after so long is left.
const PATIENCE: Duration = Duration::from_secs(10);

static BIG: [u8; 3_000_000] = [b'x'; 3_000_000];

type Body = BoxBody<Bytes, hyper::Error>;

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let body = match (request.method(), request.uri().path()) {
        (&Method::GET, "/hello") => full("hello from torsade\n"),
        (&Method::GET, "/big") => full(&BIG[..]),
        // What comes in goes out as it comes: a client that does not read is not read.
        (&Method::POST, "/echo") => request.into_body().boxed(),
        _ => {
            let mut response = Response::new(full("there is nothing here\n"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
    };
    Ok(Response::new(body))
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

fn serve(net: &Net, address: &str) -> Result<Listener, ListenError> {
    let timer = HyperTimer::new(net);
    start_server(net, address, async move |reader, writer| {
        http1::Builder::new()
            .timer(timer.clone())
            .header_read_timeout(PATIENCE)
            .serve_connection(Duplex::new(reader, writer), service_fn(answer))
            .await
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080");
    let mut reactor = Reactor::new()?;
    let listener = serve(reactor.net(), address)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade_testing::MemoryReactor;

    #[test]
    fn two_requests_on_one_connection_wherever_they_are_cut() {
        let reactor = MemoryReactor::new();
        serve(reactor.net(), "127.0.0.1:80").unwrap();
        let mut ann = reactor.dial("127.0.0.1:80");
        ann.feed_bytewise("GET /hello HTTP/1.1\r\n\r\n");
        let first = String::from_utf8(ann.take_sent()).unwrap();
        assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{first}");
        assert!(first.ends_with("\r\n\r\nhello from torsade\n"), "{first}");
        ann.feed("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\n12");
        ann.feed("345");
        assert!(ann.take_sent().ends_with(b"\r\n\r\n12345"));
        assert!(!ann.has_ended());
        ann.end();
        assert!(ann.has_ended());
    }

    #[test]
    fn a_client_that_does_not_read_is_not_written_to_for_ever() {
        let reactor = MemoryReactor::new();
        serve(reactor.net(), "127.0.0.1:80").unwrap();
        let mut ann = reactor.dial("127.0.0.1:80");
        ann.set_window(0);
        ann.feed("GET /big HTTP/1.1\r\n\r\n");
        ann.set_window(usize::MAX);
        assert!(ann.take_sent().len() > BIG.len());
    }

    #[test]
    fn a_silent_client_is_left_when_its_time_is_over() {
        let mut reactor = MemoryReactor::new();
        serve(reactor.net(), "127.0.0.1:80").unwrap();
        let mut ann = reactor.dial("127.0.0.1:80");
        ann.feed("GET /hel");
        reactor.advance(PATIENCE / 2);
        assert!(!ann.has_ended());
        reactor.advance(PATIENCE);
        assert!(ann.has_ended());
        assert_eq!(reactor.net().free_timers().len(), 0);
    }
}
