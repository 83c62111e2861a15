//! Holds many connections in one process, more than it may have descriptors, and has each of them
//! answer: `hold CONNECTIONS [DESCRIPTORS]`.
//!
//! The server is torsade's echo on io_uring, in a process that may open so many descriptors and no
//! more; as many as this one may, if that is not said. The kernel grants each ring a table of its
//! own as long as that limit, so there are as many reactors, in threads that share the port, as
//! the connections need. The clients are plain processes, whose sockets are descriptors: so there
//! are several of them, each with an address of its own to call from.
//!
//! It says how many connections there were, how many descriptors, what is resident for each, and
//! how long it took; and fails if one of them gives no answer, or another's.
#![forbid(unsafe_code)]

fn main() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    return hold::from_command_line();
    #[cfg(not(target_os = "linux"))]
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
mod hold {
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};
    use std::ops::Range;
    use std::process::{Child, ChildStdout, Command, Stdio};
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use socket2::{Domain, Socket, Type};
    use torsade::{Driver, Net, Protocol, Reactor, Reactors, Transport, factory};

    /// What a process needs descriptors for besides connections.
    const OTHER: u64 = 100;
    /// Ports that clients call from, of each address: not those that the system gives away.
    const PORTS: Range<u16> = 10_000..32_000;
    /// Connections of one address.
    const FROM_ONE_ADDRESS: u64 = 17_000;
    /// A part of the connections that comes before and says so much that the server has used all
    /// of its buffers.
    const WARM_UP: u64 = 50;
    /// What does not come within this time never will.
    const PATIENCE: Duration = Duration::from_secs(60);

    pub(crate) fn from_command_line() -> io::Result<()> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["server", reactors, descriptors] => serve(number(reactors)?, number(descriptors)?),
            ["client", server, from, connections] => {
                let server = server.parse().map_err(io::Error::other)?;
                let from = from.parse().map_err(io::Error::other)?;
                call(server, from, number(connections)?)
            }
            [connections] => measure(number(connections)?, descriptors()),
            [connections, descriptors] => measure(number(connections)?, number(descriptors)?),
            _ => Err(io::Error::other("usage: hold CONNECTIONS [DESCRIPTORS]")),
        }
    }

    fn number(word: &str) -> io::Result<u64> {
        word.parse().map_err(io::Error::other)
    }

    /// How many descriptors this process may have; no more than a ring's table may be long.
    fn descriptors() -> u64 {
        let limit = getrlimit(Resource::Nofile);
        limit.maximum.unwrap_or(u64::MAX).min(1 << 20)
    }

    /// Run server and clients, and compare.
    fn measure(connections: u64, descriptors: u64) -> io::Result<()> {
        // One more than are enough on average: the kernel spreads connections by a hash.
        let reactors = connections / descriptors + 2;
        let words = ["server", &reactors.to_string(), &descriptors.to_string()];
        let (mut server, address) = Running::start(&words, "listening on ")?;
        let most = FROM_ONE_ADDRESS.min(self::descriptors() - OTHER);

        // From others than afterwards, because ports are not free at once.
        let some = connections.div_ceil(WARM_UP);
        let mut warm_up = Clients::start(&address, [127, 0, 1, 1], some, most)?;
        for _ in 0..WARM_UP {
            warm_up.ask()?;
        }
        warm_up.finish()?;
        server.until("connections", "0")?;
        let before = server.resident()?;

        let begun = Instant::now();
        let mut clients = Clients::start(&address, [127, 0, 2, 1], connections, most)?;
        let opened = begun.elapsed();
        server.until("connections", &connections.to_string())?;
        let each = server.resident()?.saturating_sub(before) / connections;
        let begun = Instant::now();
        clients.ask()?;
        let answered = begun.elapsed();
        let open = server.open_descriptors()?;

        say(&format!(
            "{connections} connections in one process, of {reactors} reactors, with {open} \
             descriptors of {descriptors} allowed"
        ));
        say(&format!("resident bytes a connection: {each}"));
        say(&format!(
            "all opened in {:.1} s; then all answered in {:.1} s",
            opened.as_secs_f64(),
            answered.as_secs_f64()
        ));
        clients.finish()?;
        server.until("connections", "0")?;
        server.finish()
    }

    struct Echo;

    impl Protocol for Echo {
        fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
            transport.write(data);
        }
    }

    /// The server. For each line that it reads it says how many connections it has.
    fn serve(reactors: u64, descriptors: u64) -> io::Result<()> {
        let limit = Some(descriptors);
        let limit = Rlimit {
            current: limit,
            maximum: limit,
        };
        setrlimit(Resource::Nofile, limit)?;
        let table = u32::try_from(descriptors).map_err(io::Error::other)?;
        let build = move || {
            let builder = Reactor::builder().driver(Driver::IoUring);
            builder.direct_descriptors(table).build()
        };
        let listen = |net: &Net| Ok(net.listen("127.0.0.1:0", factory(|_| Echo))?.address());
        let running = Reactors::new(usize::try_from(reactors).map_err(io::Error::other)?)
            .build_with(build)
            .start(listen)
            .map_err(io::Error::other)?;
        torsade_bench::servers::announce(&running.results()[0]);
        for line in io::stdin().lines() {
            line?;
            let (tell, told) = mpsc::channel();
            for remote in running.remotes() {
                let tell = tell.clone();
                let count = move |net: &Net| {
                    // Whoever asked waits for it.
                    let _ = tell.send(net.connections());
                };
                remote.post(count).map_err(io::Error::other)?;
            }
            drop(tell);
            say(&format!("connections {}", told.iter().sum::<usize>()));
        }
        running.stop();
        running.join().map_err(io::Error::other)
    }

    /// One process of clients. When all are answered it says so, and for each line that it reads
    /// it has all answered again.
    fn call(server: SocketAddr, from: Ipv4Addr, connections: u64) -> io::Result<()> {
        let allowed = Rlimit {
            current: getrlimit(Resource::Nofile).maximum,
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        setrlimit(Resource::Nofile, allowed)?;
        let mut sockets = Vec::new();
        let mut ports = PORTS;
        for number in 0..connections {
            let mut socket = connect(server, from, &mut ports)?;
            // One after the other, so that none finds the listener's queue full.
            socket.write_all(&message(number))?;
            hear(&mut socket, number)?;
            sockets.push(socket);
        }
        say(&format!("answered {}", sockets.len()));
        for line in io::stdin().lines() {
            line?;
            for (socket, number) in sockets.iter_mut().zip(0..) {
                socket.write_all(&message(number))?;
            }
            for (socket, number) in sockets.iter_mut().zip(0..) {
                hear(socket, number)?;
            }
            say(&format!("answered {}", sockets.len()));
        }
        Ok(())
    }

    /// No two connections of a process say the same.
    fn message(number: u64) -> [u8; 8] {
        number.to_be_bytes()
    }

    fn hear(socket: &mut TcpStream, number: u64) -> io::Result<()> {
        let mut answer = [0; 8];
        socket.read_exact(&mut answer)?;
        if answer == message(number) {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "connection {number} was answered {answer:?}"
        )))
    }

    /// Connect from the next of these ports that is free. To ask the system for one takes it the
    /// longer the fewer are left.
    fn connect(
        server: SocketAddr,
        from: Ipv4Addr,
        ports: &mut impl Iterator<Item = u16>,
    ) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        let is_bound = |port| socket.bind(&SocketAddr::from((from, port)).into()).is_ok();
        if !ports.any(is_bound) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        socket.connect(&server.into())?;
        let socket = TcpStream::from(socket);
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    }

    /// All processes of clients.
    struct Clients(Vec<(Running, String)>);

    impl Clients {
        /// Start as many as are needed, from this address on, and wait until all of their
        /// connections were answered.
        fn start(server: &str, first: [u8; 4], connections: u64, most: u64) -> io::Result<Self> {
            let mut addresses = u32::from(Ipv4Addr::from(first))..;
            let mut clients = Vec::new();
            let mut left = connections;
            while left > 0 {
                let some = left.min(most);
                left -= some;
                let from = Ipv4Addr::from(addresses.next().unwrap_or_default());
                let (from, some) = (from.to_string(), some.to_string());
                let client = Running::spawn(&["client", server, &from, &some])?;
                clients.push((client, some));
            }
            let mut clients = Self(clients);
            clients.hear()?;
            Ok(clients)
        }

        /// Have all of them answered again, at once.
        fn ask(&mut self) -> io::Result<()> {
            for (client, _) in &mut self.0 {
                client.tell()?;
            }
            self.hear()
        }

        fn hear(&mut self) -> io::Result<()> {
            for (client, connections) in &mut self.0 {
                let answered = client.hear("answered ")?;
                if answered != *connections {
                    return Err(io::Error::other(format!(
                        "{answered} of {connections} answered"
                    )));
                }
            }
            Ok(())
        }

        fn finish(self) -> io::Result<()> {
            self.0
                .into_iter()
                .try_for_each(|(client, _)| client.finish())
        }
    }

    /// Another process of this program, which ends with this value.
    struct Running {
        child: Child,
        stdout: BufReader<ChildStdout>,
    }

    impl Running {
        fn spawn(words: &[&str]) -> io::Result<Self> {
            let mut child = Command::new(std::env::current_exe()?)
                .args(words)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let stdout = child.stdout.take();
            let stdout = stdout.ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(Self {
                child,
                stdout: BufReader::new(stdout),
            })
        }

        /// The same, and what it says behind that beginning of its first line.
        fn start(words: &[&str], beginning: &str) -> io::Result<(Self, String)> {
            let mut running = Self::spawn(words)?;
            let rest = running.hear(beginning)?;
            Ok((running, rest))
        }

        fn tell(&mut self) -> io::Result<()> {
            let stdin = self.child.stdin.as_mut();
            stdin.ok_or(io::ErrorKind::BrokenPipe)?.write_all(b"\n")
        }

        fn hear(&mut self, beginning: &str) -> io::Result<String> {
            let mut line = String::new();
            self.stdout.read_line(&mut line)?;
            match line.strip_prefix(beginning) {
                Some(rest) => Ok(rest.trim().to_owned()),
                None => Err(io::Error::other(format!(
                    "instead of {beginning:?} a process said {line:?}"
                ))),
            }
        }

        /// Ask until it says this: what clients have done comes a little later to the server.
        fn until(&mut self, what: &str, wanted: &str) -> io::Result<()> {
            let begun = Instant::now();
            loop {
                self.tell()?;
                let said = self.hear(&format!("{what} "))?;
                if said == wanted {
                    return Ok(());
                }
                if begun.elapsed() > PATIENCE {
                    return Err(io::Error::other(format!("{what}: {said}, not {wanted}")));
                }
                std::thread::yield_now();
            }
        }

        /// Bytes that it has in memory.
        fn resident(&self) -> io::Result<u64> {
            let path = format!("/proc/{}/smaps_rollup", self.child.id());
            let text = std::fs::read_to_string(path)?;
            let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
            let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
            Ok(number(kilobytes.unwrap_or_default().trim())? * 1024)
        }

        fn open_descriptors(&self) -> io::Result<usize> {
            let all = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?;
            Ok(all.count())
        }

        /// End its input and wait until it has ended.
        fn finish(mut self) -> io::Result<()> {
            drop(self.child.stdin.take());
            let status = self.child.wait()?;
            if status.success() {
                return Ok(());
            }
            Err(io::Error::other(format!("a process ended with {status}")))
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            // Both fail only if it has already ended.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    #[expect(clippy::print_stdout, reason = "the lines are the program's product")]
    fn say(line: &str) {
        println!("{line}");
    }
}
