//! Runs one of the servers: `server NAME [ADDR]`.
#![forbid(unsafe_code)]

fn main() -> std::io::Result<()> {
    torsade_bench::servers::serve_from_command_line()
}
