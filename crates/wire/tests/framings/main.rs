//! The framings but for lines, through their public face.

mod bodies;
mod framed;
mod fuzz;
mod in_place;
mod input;
mod limits;
mod own;
mod properties;
mod random;
#[path = "../corpus/replay.rs"]
mod replay;
mod replies;
mod subject;
mod twisted;
mod unframed;

use torsade_wire::{Int8, Int16, Int16Le, Int32, Int32Le, Netstring, Records};

use crate::framed::{Escaped, In, Tagged};
use crate::unframed::{InChat, InStates};

/// What the coverage-guided fuzzer has found to be worth trying.
#[test]
fn every_input_of_the_corpus_is_framed_as_the_model_says() {
    replay::replay(include_str!("../corpus/framings.txt"), input::check);
}

/// Run every body for every framing.
macro_rules! framings {
    ($($name:ident: $subject:ty;)*) => {
        $(mod $name {
            use super::*;

            framings!(@bodies $subject:
                every_split_gives_the_same_messages
                what_is_unfinished_is_passed_on_at_the_end
                nothing_is_delivered_after_the_end_that_a_message_brings
                what_is_done_between_messages_changes_none
                a_pause_in_the_middle_holds_the_rest
                a_switch_leaves_the_rest_to_the_next_protocol
                a_reset_at_any_byte_ends_it_there
                the_limit_is_the_same_in_every_split
                long_messages_come_through_in_tiny_pieces
                a_panic_ends_this_connection_only
            );

            /// The same inputs each time; `cargo run --release --example fuzz_framings` tries
            /// others and more.
            #[test]
            fn random_inputs_are_framed_as_the_model_says() {
                let tally = crate::fuzz::run::<$subject>(0x5eed, 1_000);
                println!("{tally:?}");
                assert!(2 * tally.messages > tally.inputs && tally.unfinished > 0);
                assert!(tally.switched > 0 && tally.ended_otherwise > 0);
            }
        })*
    };
    (@bodies $subject:ty: $($body:ident)*) => {
        $(#[test]
        fn $body() {
            crate::bodies::$body::<$subject>();
        })*
    };
}

framings! {
    int8: In<Int8>;
    int16: In<Int16>;
    int16_le: In<Int16Le>;
    int32: In<Int32>;
    int32_le: In<Int32Le>;
    netstring: In<Netstring>;
    records: In<Records<4>>;
    tagged: In<Tagged>;
    escaped: In<Escaped>;
    stateful: InStates;
    chat: InChat;
}
