//! What the simulated network captures, as the tools of network people read it.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use torsade_core::{Protocol, Transport, factory};
use torsade_testing::sim::{Links, Sim, Trace};

struct Upper;
impl Protocol for Upper {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data.to_ascii_uppercase());
    }
}

/// Says something large, and then leaves or lets go of it, without good manners.
struct Says(usize, bool);
impl Protocol for Says {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write(vec![b'x'; self.0]);
    }
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.0 -= data.len();
        match (self.0, self.1) {
            (0, true) => transport.close(),
            (0, false) => transport.abort(),
            _ => {}
        }
    }
}

/// Two conversations and a connect that is refused, with losses on the way.
fn conversations() -> Trace {
    let mut net = Sim::new(3);
    net.links(Links::default());
    net.host("server")
        .net()
        .listen("0.0.0.0:7", factory(|_| Upper))
        .unwrap();
    let lossy = net.drop_some("ann", "server", 5);
    for (name, manners) in [("ann", true), ("bob", false)] {
        let host = net.host(name).net();
        host.connect("server:7", Says(5000, manners)).detach();
    }
    let refused = net.host("carl").net().connect("server:8", Upper);
    net.advance(Duration::from_secs(60));
    drop(lossy);
    assert!(refused.try_take().unwrap().is_err());
    net.trace()
}

/// What tshark prints of these fields, a line for each packet.
fn tshark(capture: &[u8], filter: &str, fields: &[&str]) -> Option<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r", "-", "-o", "tcp.check_checksum:TRUE"]);
    command.args(["-o", "ip.check_checksum:TRUE", "-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let started = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut started) = started else {
        assert!(std::env::var_os("CI").is_none(), "tshark is not installed");
        let _ = writeln!(std::io::stderr(), "skipped: tshark is not installed");
        return None;
    };
    started.stdin.take().unwrap().write_all(capture).unwrap();
    let output = started.wait_with_output().unwrap();
    assert!(output.status.success(), "tshark refused the capture");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

#[test]
fn tshark_opens_a_capture_and_finds_nothing_wrong_with_it() {
    let trace = conversations();
    let capture = trace.pcap();
    let Some(all) = tshark(&capture, "tcp", &["ip.src", "tcp.flags"]) else {
        return;
    };
    let arrived = trace.to_string().matches(" <- ").count();
    assert_eq!(all.len(), arrived);
    assert!(
        all.contains(&"10.0.0.2\t0x0002".to_owned()),
        "ann asks: {all:?}"
    );

    // Checksums, sequence numbers, acknowledgements: tshark analyses them all.
    let wrong = "tcp.analysis.flags || ip.checksum.status != Good || tcp.checksum.status != Good";
    let nothing = tshark(&capture, wrong, &["frame.number", "_ws.expert.message"]);
    assert_eq!(nothing.unwrap(), Vec::<String>::new());

    // It follows the streams: three of them, and their bytes.
    let streams = tshark(&capture, "tcp.stream", &["tcp.stream"]).unwrap();
    let last = streams.iter().map(|it| it.parse::<u32>().unwrap()).max();
    assert_eq!(last, Some(2));
    let payload = "tcp.payload && ip.dst == 10.0.0.2";
    let lengths = tshark(&capture, payload, &["tcp.len"]).unwrap();
    let sum: usize = lengths.iter().map(|it| it.parse::<usize>().unwrap()).sum();
    assert_eq!(sum, 5000);
    let resets = tshark(&capture, "tcp.flags.reset == 1", &["ip.dst"]).unwrap();
    assert!(
        resets.contains(&"10.0.0.4".to_owned()),
        "carl was refused: {resets:?}"
    );
    assert!(
        resets.contains(&"10.0.0.1".to_owned()),
        "bob has no manners: {resets:?}"
    );
}
