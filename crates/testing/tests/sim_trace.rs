//! What a simulated network shows of itself.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use torsade_core::{Protocol, Transport, factory};
use torsade_testing::sim::{Links, Sim};

struct Echo;
impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

struct Hello;
impl Protocol for Hello {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write("hello");
    }
    fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
        transport.close();
    }
}

/// One conversation.
fn conversation() -> Sim {
    let mut net = Sim::new(1);
    let mut links = Links::ideal();
    links.latency = std::time::Duration::from_millis(10);
    net.links(links);
    let server = net.host("server").net();
    server.listen("0.0.0.0:7", factory(|_| Echo)).unwrap();
    let ann = net.host("ann").net();
    ann.connect("server:7", Hello).detach();
    net.settle();
    net
}

#[test]
fn who_when_which_callback_and_what_bytes() {
    let expected = r#"
    0.010000  server  #1 <- ann: asks for a connection
    0.010000  server  #1 connection_made
    0.020000  ann     #1 <- server: has taken it
    0.020000  ann     #1 connection_made
    0.020000  ann     #1 sends 5
    0.030000  server  #1 <- ann: "hello"
    0.030000  server  #1 data_received "hello"
    0.030000  server  #1 sends 5
    0.040000  ann     #1 <- server: "hello"
    0.040000  ann     #1 data_received "hello"
    0.040000  ann     #1 connection_lost
    0.050000  server  #1 <- ann: the end
    0.050000  server  #1 eof_received
    0.050000  server  #1 connection_lost
    0.060000  ann     #1 <- server: the end
"#;
    assert_eq!(format!("\n{}", conversation().trace()), expected);
}

#[test]
fn a_sequence_diagram() {
    let expected = r#"
              server                        ann
    0.010000  |<--- asks for a connection --|
    0.010000  * #1 connection_made          |
    0.020000  |--- has taken it ----------->|
    0.020000  |                             * #1 connection_made
    0.020000  |                             * #1 sends 5
    0.030000  |<--- "hello" ----------------|
    0.030000  * #1 data_received "hello"    |
    0.030000  * #1 sends 5                  |
    0.040000  |--- "hello" ---------------->|
    0.040000  |                             * #1 data_received "hello"
    0.040000  |                             * #1 connection_lost
    0.050000  |<--- the end ----------------|
    0.050000  * #1 eof_received             |
    0.050000  * #1 connection_lost          |
    0.060000  |--- the end ---------------->|
"#;
    assert_eq!(format!("\n{}", conversation().trace().diagram()), expected);
    let svg = conversation().trace().svg();
    assert_eq!(svg.matches("marker-end").count(), 6);
    assert!(svg.contains("&lt;- ann: \"hello\""), "{svg}");
}

#[test]
fn a_part_of_it() {
    let net = conversation();
    let of_nobody = net.trace().of("bob");
    assert_eq!(of_nobody.to_string(), "");
    assert_eq!(net.trace().of("ann").to_string().lines().count(), 10);
    let last = net.trace().last(2).to_string();
    assert!(last.ends_with("ann     #1 <- server: the end\n"), "{last}");
    assert_eq!(last.lines().count(), 3); // one says that there were others
}
