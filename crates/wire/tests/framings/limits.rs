//! How long a message may be, and when it is known that it is longer.

use torsade_core::{Disconnect, Limit, Limits, Transport};
use torsade_testing::StringTransport;
use torsade_wire::{
    Decoder, Framed, Int8, Int16, Int16Le, Int32, Int32Le, MessageProtocol, MessageTransport,
    Netstring, TooLong,
};

/// Answers with the length of each message.
struct Measure<F>(F);

impl<F> MessageProtocol for Measure<F>
where
    F: for<'a> Decoder<Message<'a> = &'a [u8]>,
{
    type Framing = F;

    fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
        transport.write(format!("{},", message.len()));
    }
}

fn measure<F>(max_length: usize) -> Framed<Measure<F>>
where
    F: for<'a> Decoder<Message<'a> = &'a [u8]> + Default,
{
    Framed::new(Measure(F::default())).max_length(max_length)
}

const TOO_LONG: Disconnect = Disconnect::LimitPassed(Limit::Message);

/// What is lost when `last` comes after `before`, with a limit of 4.
fn lost<F>(before: &[u8], last: u8) -> Option<Disconnect>
where
    F: for<'a> Decoder<Message<'a> = &'a [u8]> + Default,
{
    let mut t = StringTransport::serve(measure::<F>(4));
    t.feed(before);
    assert_eq!(t.lost(), None, "{}", before.escape_ascii());
    t.feed([last]);
    let one_by_one = t.lost();
    let mut t = StringTransport::serve(measure::<F>(4));
    t.feed([before, &[last]].concat());
    assert_eq!(t.lost(), one_by_one, "{}", before.escape_ascii());
    one_by_one
}

#[test]
fn a_message_that_is_too_long_is_known_with_the_last_byte_of_its_length() {
    assert_eq!(lost::<Int8>(b"", 5), Some(TOO_LONG));
    assert_eq!(lost::<Int16>(b"\0", 5), Some(TOO_LONG));
    assert_eq!(lost::<Int16>(b"\x01", 0), Some(TOO_LONG));
    assert_eq!(lost::<Int16Le>(b"\0", 1), Some(TOO_LONG));
    assert_eq!(lost::<Int32>(b"\0\0\0", 5), Some(TOO_LONG));
    assert_eq!(lost::<Int32>(b"\xff\xff\xff", 0xff), Some(TOO_LONG));
    assert_eq!(lost::<Int32Le>(b"\0\0\0", 0x80), Some(TOO_LONG));
    for (before, last) in [(&b""[..], 4), (b"\x04123", b'4')] {
        assert_eq!(lost::<Int8>(before, last), None);
    }
}

/// R92: the limit is checked on the digits, before the colon and long before the value; a number
/// of any length is no trouble.
#[test]
fn a_netstring_that_is_too_long_is_known_with_the_digit_that_makes_it_so() {
    assert_eq!(lost::<Netstring>(b"", b'5'), Some(TOO_LONG));
    assert_eq!(lost::<Netstring>(b"1", b'0'), Some(TOO_LONG));
    assert_eq!(lost::<Netstring>(b"4", b':'), None);

    let mut t = StringTransport::serve(measure::<Netstring>(usize::MAX));
    t.feed(usize::MAX.to_string());
    assert_eq!(t.lost(), None, "it may still come");
    t.feed("0");
    let more_than_any = Disconnect::LimitPassed(Limit::Unread);
    assert_eq!(
        t.lost(),
        None,
        "a number that no machine holds is the largest"
    );
    drop(t);
    let mut t = StringTransport::serve(measure::<Netstring>(usize::MAX - 1));
    t.feed("9".repeat(60_000));
    assert_eq!(t.lost(), Some(TOO_LONG), "and not {more_than_any}");
}

#[test]
fn a_message_has_99999_bytes_at_most_by_default() {
    let mut t = StringTransport::serve(Framed::new(Measure(Netstring::default())));
    t.feed(format!("99999:{},", "x".repeat(99_999)));
    t.feed("100000");
    assert_eq!(
        t.take_sent(),
        b"99999,",
        "what was answered before still leaves"
    );
    assert_eq!(t.lost(), Some(TOO_LONG));
}

#[test]
fn the_connection_keeps_as_much_unread_as_a_message_may_need() {
    fn check<F>(input: &[u8])
    where
        F: for<'a> Decoder<Message<'a> = &'a [u8]> + Default,
    {
        let mut limits = Limits::default();
        limits.unread = 10;
        let framed = measure::<F>(200);
        let mut t = StringTransport::builder().limits(limits).serve(framed);
        t.feed_bytewise(input);
        assert_eq!(t.take_sent(), b"200,");
    }
    let value = "x".repeat(200);
    check::<Int8>(format!("\0{value}").as_bytes().replaced(&[200]).as_slice());
    check::<Int32>(
        format!("\0{value}")
            .as_bytes()
            .replaced(&[0, 0, 0, 200])
            .as_slice(),
    );
    check::<Netstring>(format!("200:{value},").as_bytes());

    let t = StringTransport::serve(measure::<Int8>(10));
    let room = t.connection().unread_limit();
    assert_eq!(room, t.net().limits().unread, "more than is needed stays");
}

trait Replaced {
    /// The first byte replaced by these.
    fn replaced(&self, first: &[u8]) -> Vec<u8>;
}

impl Replaced for [u8] {
    fn replaced(&self, first: &[u8]) -> Vec<u8> {
        [first, &self[1..]].concat()
    }
}

/// R91: told the length, and not given the message, though all of it is there.
#[test]
fn r91_a_message_over_the_limit_is_told_by_its_length_and_not_delivered() {
    struct Strict(Vec<String>);
    impl MessageProtocol for Strict {
        type Framing = Int16;
        fn message_received(&mut self, _: &Transport<Self>, message: &[u8]) {
            self.0.push(format!("message of {}", message.len()));
        }
        fn limit_exceeded(&mut self, _: &Transport<Self>, length: u64) {
            self.0.push(format!("{length} is too long"));
        }
    }
    let mut t = StringTransport::serve(Framed::new(Strict(Vec::new())).max_length(3));
    t.feed(b"\0\x03abc\0\x04abcd\0\x01a");
    let told = t.protocol(|framed| framed.get_ref().0.join(", "));
    assert_eq!(told, "message of 3, 4 is too long, message of 1");
}

#[test]
fn a_message_that_is_skipped_is_not_kept() {
    struct Skip;
    impl MessageProtocol for Skip {
        type Framing = Int32;
        fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
            transport.write(message);
        }
        fn limit_exceeded(&mut self, transport: &Transport<Self>, _: u64) {
            transport.write("skipped ");
        }
    }
    let mut t = StringTransport::serve(Framed::new(Skip).max_length(10));
    t.with_protocol(|_, transport| transport.set_unread_limit(14));
    t.feed((40 * 65_536_u32).to_be_bytes());
    for _ in 0..40 {
        t.feed([b'x'; 65_536]);
    }
    t.feed(b"\0\0\0\x04next");
    assert_eq!(t.take_sent(), b"skipped next");
}

#[test]
fn what_cannot_be_expressed_is_an_error_and_nothing_is_sent() {
    fn longest<F>(max: usize, head: &[u8])
    where
        F: for<'a> Decoder<Message<'a> = &'a [u8]> + Default,
        F: for<'a> torsade_wire::Encoder<&'a [u8]>,
    {
        let mut t = StringTransport::serve(measure::<F>(0));
        let transport = t.with_protocol(|_, transport| transport.inner());
        let value = vec![b'x'; max + 1];
        let error = TooLong {
            length: max + 1,
            max,
        };
        assert_eq!(transport.send_message(&value[..]), Err(error));
        assert_eq!(t.take_sent(), b"");
        assert_eq!(transport.send_message(&value[1..]), Ok(()));
        let sent = t.take_sent();
        assert!(sent.starts_with(head) && sent.len() == head.len() + max);
    }
    longest::<Int8>(255, b"\xff");
    longest::<Int16>(65_535, b"\xff\xff");
    longest::<Int16Le>(65_535, b"\xff\xff");
}
