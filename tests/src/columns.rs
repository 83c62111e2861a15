//! The columns of the conformance suite on real sockets.

use torsade_reactor::Driver;
use torsade_testing::conformance::{Column, THROUGH_A_FILTER, nothing_ahead};

use crate::runner::elsewhere;
use crate::sockets::{Dress, Family, SocketHarness};

/// The column of real TCP, on the driver that every system has.
pub const TCP: Column = Column {
    name: "tcp",
    make: |limits| Box::new(SocketHarness::new(Driver::Polling, limits, Dress::Nothing)),
    elsewhere: Some(elsewhere),
    cannot: &[],
};

/// The same on epoll.
#[cfg(target_os = "linux")]
pub const EPOLL: Column = Column {
    name: "epoll",
    make: |limits| Box::new(SocketHarness::new(Driver::Epoll, limits, Dress::Nothing)),
    elsewhere: Some(elsewhere),
    cannot: &[],
};

/// The same on io_uring.
#[cfg(target_os = "linux")]
pub const IO_URING: Column = Column {
    name: "io_uring",
    make: |limits| Box::new(SocketHarness::new(Driver::IoUring, limits, Dress::Nothing)),
    elsewhere: Some(elsewhere),
    cannot: &[],
};

/// The first, with a filter on every opened connection.
pub const FILTERED_TCP: Column = Column {
    name: "tcp+filter",
    make: |limits| {
        let limits = nothing_ahead(limits);
        Box::new(SocketHarness::new(Driver::Polling, limits, Dress::Xor(7)))
    },
    elsewhere: Some(elsewhere),
    cannot: THROUGH_A_FILTER,
};

/// The column of Unix sockets, on the driver that a reactor takes by itself.
pub const UNIX: Column = Column {
    name: "unix",
    make: |limits| {
        Box::new(SocketHarness::of(
            Family::Unix,
            DEFAULT,
            limits,
            Dress::Nothing,
        ))
    },
    elsewhere: Some(elsewhere),
    cannot: &[],
};

/// The same on io_uring.
#[cfg(target_os = "linux")]
pub const UNIX_IO_URING: Column = Column {
    name: "unix/uring",
    make: |limits| {
        Box::new(SocketHarness::of(
            Family::Unix,
            Driver::IoUring,
            limits,
            Dress::Nothing,
        ))
    },
    ..UNIX
};

/// The same on the driver that every system has.
#[cfg(target_os = "linux")]
pub const UNIX_POLLING: Column = Column {
    name: "unix/polling",
    make: |limits| {
        Box::new(SocketHarness::of(
            Family::Unix,
            Driver::Polling,
            limits,
            Dress::Nothing,
        ))
    },
    ..UNIX
};

/// The column of pipes: two of them crosswise are a connection, on the driver that a reactor takes
/// by itself.
pub const PIPES: Column = Column {
    name: "pipes",
    make: |limits| {
        Box::new(SocketHarness::of(
            Family::Pipes,
            DEFAULT,
            limits,
            Dress::Nothing,
        ))
    },
    elsewhere: Some(elsewhere),
    cannot: &[],
};

/// The same on io_uring.
#[cfg(target_os = "linux")]
pub const PIPES_IO_URING: Column = Column {
    name: "pipes/uring",
    make: |limits| {
        Box::new(SocketHarness::of(
            Family::Pipes,
            Driver::IoUring,
            limits,
            Dress::Nothing,
        ))
    },
    ..PIPES
};

/// The same on the driver that every system has.
#[cfg(target_os = "linux")]
pub const PIPES_POLLING: Column = Column {
    name: "pipes/polling",
    make: |limits| {
        Box::new(SocketHarness::of(
            Family::Pipes,
            Driver::Polling,
            limits,
            Dress::Nothing,
        ))
    },
    ..PIPES
};

/// The column of processes: the standard streams of a child are a connection, on the driver that a
/// reactor takes by itself. The far ends are taken from the child by way of Linux's `/proc`.
pub const PROCESS: Column = Column {
    name: "process",
    make: |limits| {
        Box::new(SocketHarness::of(
            Family::Process,
            DEFAULT,
            limits,
            Dress::Nothing,
        ))
    },
    elsewhere: Some(elsewhere),
    cannot: &[(
        "connect_that_is_refused_is_rejected_and_its_protocol_dropped",
        "a program that cannot be started is known to be so at once, not in a later turn",
    )],
};

/// The same on io_uring.
#[cfg(target_os = "linux")]
pub const PROCESS_IO_URING: Column = Column {
    name: "process/uring",
    make: |limits| {
        Box::new(SocketHarness::of(
            Family::Process,
            Driver::IoUring,
            limits,
            Dress::Nothing,
        ))
    },
    ..PROCESS
};

/// The same on the driver that every system has.
#[cfg(target_os = "linux")]
pub const PROCESS_POLLING: Column = Column {
    name: "process/polling",
    make: |limits| {
        Box::new(SocketHarness::of(
            Family::Process,
            Driver::Polling,
            limits,
            Dress::Nothing,
        ))
    },
    ..PROCESS
};

/// What a reactor takes by itself.
const DEFAULT: Driver = if cfg!(target_os = "linux") {
    Driver::Epoll
} else {
    Driver::Polling
};

/// The first, with TLS on every opened connection; its raw ends speak it with rustls's own buffers.
pub const TLS: Column = Column {
    name: "tls",
    make: |limits| {
        let limits = nothing_ahead(limits);
        Box::new(SocketHarness::new(Driver::Polling, limits, Dress::Tls))
    },
    elsewhere: Some(elsewhere),
    cannot: THROUGH_TLS,
};

/// What bytes that come by the record cannot show.
const THROUGH_TLS: &[(&str, &str)] = &[
    THROUGH_A_FILTER[0],
    THROUGH_A_FILTER[1],
    ("continuations_come_before_facts", BY_THE_RECORD),
    ("results_come_before_facts", BY_THE_RECORD),
    ("the_end_comes_after_the_data", BY_THE_RECORD),
    (
        "nothing_is_called_after_a_panic_but_the_loss",
        BY_THE_RECORD,
    ),
    ("a_zero_delay_waits_for_input", BY_THE_RECORD),
    ("input_that_never_comes_keeps_no_timer", BY_THE_RECORD),
    (
        "bytes_of_one_connection_in_a_turn_are_bounded",
        "a record is delivered whole: 16 KiB, where the cell reads less in a turn",
    ),
];

const BY_THE_RECORD: &str =
    "what the peer sends at once is one record and one delivery, however little a turn reads";
