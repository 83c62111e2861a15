//! HTTP by hyper over torsade: its client on our streams.
//!
//! Run `cargo run --bin http_client 127.0.0.1:8080 /hello` beside `http_server`.
#![forbid(unsafe_code)]

use std::error::Error;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use torsade::futures::{Duplex, open_connection, spawn};
use torsade::{Net, Reactor};

type Answer = (StatusCode, Bytes);

async fn get(net: Net, address: String, path: String) -> Result<Answer, Box<dyn Error>> {
    let (reader, writer) = open_connection(&net, address.as_str()).await?;
    let (mut requests, connection) = http1::handshake(Duplex::new(reader, writer)).await?;
    // What moves the bytes is a future of its own, and so a task. It ends with the connection.
    spawn(&net, connection).detach();
    let request = Request::get(path)
        .header(header::HOST, address)
        .body(Empty::<Bytes>::new())?;
    let response = requests.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, body))
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let path = arguments.next().unwrap_or_else(|| "/hello".into());
    let mut reactor = Reactor::new()?;
    let asked = get(reactor.net().clone(), address, path);
    let (status, body) = reactor.block_on(asked)??;
    println!("{status}, {} bytes", body.len());
    print!("{}", String::from_utf8_lossy(&body[..body.len().min(1000)]));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade::futures::start_server;
    use torsade_testing::MemoryReactor;

    #[test]
    fn asks_for_its_page_and_reads_all_of_the_answer() {
        let mut reactor = MemoryReactor::new();
        let net = reactor.net().clone();
        start_server(&net, "127.0.0.1:80", async |mut reader, writer| {
            let asked = reader.read_until("\r\n\r\n").await?;
            assert!(asked.starts_with(b"GET /page HTTP/1.1\r\nhost: 127.0.0.1:80\r\n"));
            writer.write("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\ngone!");
            Ok::<(), torsade::futures::ReadError>(())
        })
        .unwrap();
        reactor.join();
        let asked = get(net, "127.0.0.1:80".into(), "/page".into());
        let (status, body) = reactor.block_on(asked).unwrap();
        assert_eq!((status, &body[..]), (StatusCode::NOT_FOUND, &b"gone!"[..]));
    }
}
