//! The standard streams, in pipelines of a real shell: this program is the filter when it is told
//! so by its first argument, and else it starts the shells and looks what came of it.

#[cfg(unix)]
mod pipelines;

fn main() {
    #[cfg(unix)]
    pipelines::main();
}
