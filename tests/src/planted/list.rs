//! The faults.

/// What is wrong when a fault is there; the place is where the sources name it.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
}

pub(crate) const FAULTS: &[Fault] = &[
    fault(
        "lost_wake_up",
        "a call that another thread posts does not end the wait",
    ),
    fault(
        "posts_out_of_order",
        "posted calls are taken from both ends of their queue in turn",
    ),
    fault(
        "swallowed_loss",
        "a connection that is reset by us is never told lost",
    ),
    fault(
        "losses_twice",
        "a connection that the peer reset is told lost twice",
    ),
    fault(
        "continuation_after_loss",
        "what waited on a connection runs after its loss",
    ),
    fault(
        "shutdown_skips_a_loss",
        "of the losses at the reactor's end, the last is not told",
    ),
    fault("missing_pause", "`pause_writing` is not called"),
    fault(
        "double_throttle",
        "connecting ends, too, are not read while their output waits",
    ),
    fault(
        "pause_not_told",
        "the driver goes on to read what is paused",
    ),
    fault(
        "timers_before_input",
        "timers do not wait for input that is there",
    ),
    fault("timer_rounded_down", "timers count whole milliseconds"),
    fault(
        "cancelled_timer_runs",
        "a timer that was cancelled stays armed",
    ),
    fault(
        "flush_deadline_unset",
        "a close waits for ever for a peer that reads nothing",
    ),
    fault(
        "linger_by_reset",
        "a close with input on its way is a plain one, which resets",
    ),
    fault(
        "half_close_by_close",
        "the peer's end closes the connection whatever the protocol says",
    ),
    fault(
        "lent_piece_whole",
        "bytes lent to the kernel and sent in part are sent again whole",
    ),
    fault(
        "running_marker_left",
        "a connection seems to be in its callback after it has returned",
    ),
    fault(
        "unread_tail_dropped",
        "what a protocol leaves unread when it pauses is dropped",
    ),
    fault(
        "switch_strands_input",
        "what the old protocol left waits for more to come",
    ),
    fault(
        "budget_drops",
        "input that a turn's budget leaves over is forgotten",
    ),
    fault(
        "stale_generation",
        "a new connection has the name of the one before it",
    ),
    fault(
        "filter_encodes_by_halves",
        "what waits for a filter is encoded in several calls",
    ),
    fault(
        "cancel_hook_after_result",
        "a hook for a cancellation runs though there is a result",
    ),
    fault(
        "swallowed_error",
        "the error of a Deferred that nobody took is not reported",
    ),
    fault(
        "off_by_one_length",
        "a message may be one byte longer than allowed",
    ),
    fault(
        "split_delimiter_missed",
        "half a delimiter behind a line that is too long is forgotten",
    ),
    fault(
        "reply_shift",
        "the reply to a request that was cancelled goes to the next one",
    ),
    fault(
        "descriptor_leak",
        "sockets whose time to linger is over stay open",
    ),
    fault(
        "accept_error_kills_listener",
        "a listener that rests for want of descriptors never comes back",
    ),
    fault(
        "no_buffers_is_the_end",
        "a send for which the kernel has no buffers just now ends its connection",
    ),
    fault(
        "unread_events_untold",
        "the engine is not told that events are left to be told",
    ),
    fault(
        "simulated_close_never_resets",
        "a simulated kernel closes in good order though input is unread",
    ),
];

const fn fault(name: &'static str, what: &'static str) -> Fault {
    Fault { name, what }
}
