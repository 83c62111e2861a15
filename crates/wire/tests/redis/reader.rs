//! Each type, whole and in every split, and what is no RESP.

use bytes::Bytes;
use torsade_core::{Disconnect, Limit};
use torsade_wire::redis::{RedisLimits, Resp, ServerError, Value};

use crate::model::{Rest, limits, read};

fn bulk(text: &str) -> Value {
    Value::from(text)
}

fn every_type() -> Vec<(&'static [u8], Value)> {
    vec![
        (b"+OK\r\n", Value::Status(Bytes::from_static(b"OK"))),
        (b"+\r\n", Value::Status(Bytes::new())),
        (b"-ERR no\r\n", Value::Error(ServerError::new("ERR no"))),
        (b":0\r\n", Value::Integer(0)),
        (b":+7\r\n", Value::Integer(7)),
        (b":-9223372036854775808\r\n", Value::Integer(i64::MIN)),
        (b":9223372036854775807\r\n", Value::Integer(i64::MAX)),
        (b"$5\r\nhello\r\n", bulk("hello")),
        (b"$0\r\n\r\n", bulk("")),
        (b"$4\r\n\r\n\r\n\r\n", bulk("\r\n\r\n")),
        (b"$-1\r\n", Value::Nil),
        (b"*-1\r\n", Value::Nil),
        (b"*0\r\n", Value::Array(vec![])),
        (
            b"*2\r\n*1\r\n:1\r\n*0\r\n",
            Value::Array(vec![
                Value::Array(vec![Value::Integer(1)]),
                Value::Array(vec![]),
            ]),
        ),
        (
            b"*3\r\n$1\r\na\r\n$-1\r\n-ERR x\r\n",
            Value::Array(vec![
                bulk("a"),
                Value::Nil,
                Value::Error(ServerError::new("ERR x")),
            ]),
        ),
        (b"_\r\n", Value::Nil),
        (b"#t\r\n", Value::Boolean(true)),
        (b"#f\r\n", Value::Boolean(false)),
        (b",1.5\r\n", Value::Double(1.5)),
        (b",-inf\r\n", Value::Double(f64::NEG_INFINITY)),
        (b",1e3\r\n", Value::Double(1000.0)),
        (
            b"(123456789012345678901\r\n",
            Value::BigNumber(Bytes::from_static(b"123456789012345678901")),
        ),
        (b"!5\r\nERR x\r\n", Value::Error(ServerError::new("ERR x"))),
        (
            b"=7\r\nmkd:# a\r\n",
            Value::Verbatim {
                format: *b"mkd",
                text: Bytes::from_static(b"# a"),
            },
        ),
        (
            b"%2\r\n+a\r\n:1\r\n+b\r\n%0\r\n",
            Value::Map(vec![
                (Value::Status(Bytes::from_static(b"a")), Value::Integer(1)),
                (Value::Status(Bytes::from_static(b"b")), Value::Map(vec![])),
            ]),
        ),
        (
            b"~2\r\n:1\r\n:2\r\n",
            Value::Set(vec![Value::Integer(1), Value::Integer(2)]),
        ),
        (
            b">1\r\n+x\r\n",
            Value::Push(vec![Value::Status(Bytes::from_static(b"x"))]),
        ),
        (b"|1\r\n+ttl\r\n:3600\r\n:5\r\n", Value::Integer(5)),
        (
            b"*2\r\n:1\r\n|1\r\n+ttl\r\n:9\r\n:2\r\n",
            Value::Array(vec![Value::Integer(1), Value::Integer(2)]),
        ),
        (b"|0\r\n+a\r\n", Value::Status(Bytes::from_static(b"a"))),
    ]
}

#[test]
fn every_type_is_read_in_every_split() {
    let limits = RedisLimits::default();
    for (wire, value) in every_type() {
        // One more behind it, so that too many bytes used would be seen.
        let wire = [wire, b":77\r\n"].concat();
        let values = vec![value, Value::Integer(77)];
        for first in 0..wire.len() {
            for second in first..wire.len() {
                let pieces = [&wire[..first], &wire[first..second], &wire[second..]];
                let (read, rest, _) = read(&limits, &pieces);
                assert_eq!((&read, rest), (&values, Rest::Nothing), "{pieces:?}");
            }
        }
    }
}

#[test]
fn what_is_written_is_read_again() {
    for (_, value) in every_type() {
        let mut wire = Vec::new();
        value.write_to(&mut wire, Resp::Three);
        let (read, rest, _) = read(&RedisLimits::default(), &[&wire]);
        assert_eq!((read, rest), (vec![value], Rest::Nothing));
    }
}

#[test]
fn resp2_has_bytes_arrays_and_integers_for_what_it_lacks() {
    let map = Value::Map(vec![(bulk("a"), Value::Boolean(false))]);
    let all = Value::Set(vec![
        map,
        Value::Nil,
        Value::Double(0.5),
        Value::BigNumber("12".into()),
    ]);
    let mut wire = Vec::new();
    all.write_to(&mut wire, Resp::Two);
    assert_eq!(
        wire,
        b"*4\r\n*2\r\n$1\r\na\r\n:0\r\n$-1\r\n$3\r\n0.5\r\n$2\r\n12\r\n"
    );
}

#[test]
fn what_is_no_resp_ends_it_with_a_reason_at_the_first_wrong_byte() {
    let wrong: &[(&[u8], &str)] = &[
        (b"x", "a reply that begins with no sign of RESP"),
        (b"\r", "a reply that begins with no sign of RESP"),
        (b"$x", "a number that is none"),
        (b"$\r", "a number that is none"),
        (b"$?", "a number that is none"),
        (b"*?", "a number that is none"),
        (b":-\r", "a number that is none"),
        (b":1\rx", "a number that does not end its line"),
        (b":9223372036854775808", "a number that is too large"),
        (b":0000000000000000000000", "a number that is too long"),
        (b"$-2\r\n", "a negative length"),
        (b"*-2\r\n", "a negative length"),
        (b"%-1\r\n", "a negative length"),
        (b"$1\r\nabc", "bytes that are longer than was said"),
        (b"=3\r\ntxt\r\n", "a text without its format"),
        (b"=5\r\ntextx\r\n", "a text without its format"),
        (b"+a\n", "a line that ends without CR"),
        (b"#x\r\n", "a line that says nothing of its kind"),
        (b"_x\r\n", "a line that says nothing of its kind"),
        (b",1.5.5\r\n", "a double that is none"),
        (b"(12a\r\n", "a big number that is none"),
        (b"(-\r\n", "a big number that is none"),
        (b"*1\r\n>0\r\n", "a push inside a reply"),
    ];
    for (wire, why) in wrong {
        let reason = Rest::Bad(Disconnect::protocol(*why));
        let bytes: Vec<&[u8]> = wire.chunks(1).collect();
        for pieces in [&[*wire][..], &bytes] {
            let (_, rest, _) = read(&RedisLimits::default(), pieces);
            assert_eq!(rest, reason, "{wire:?}");
        }
        let before = &wire[..wire.len() - 1];
        let (_, rest, _) = read(&RedisLimits::default(), &[before]);
        assert_ne!(rest, reason, "{before:?} is not wrong yet");
    }
}

#[test]
fn limits_are_met_exactly_and_known_from_the_header() {
    let too_long = Rest::Bad(Disconnect::LimitPassed(Limit::Message));
    let limits = limits(2, 4, 3, 30);
    let within: &[&[u8]] = &[
        b"*1\r\n*1\r\n:1\r\n",
        b"*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
        b"%2\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
        b"+abc\r\n",
        b"$23\r\naaaaaaaaaaaaaaaaaaaaaaa\r\n",
    ];
    let beyond: &[&[u8]] = &[
        b"*1\r\n*1\r\n*1\r\n",
        b"*5\r\n",
        b"*2\r\n*3\r\n",
        b"%3\r\n",
        b"%9223372036854775807\r\n",
        b"*9223372036854775807\r\n",
        b"$9223372036854775807\r\n",
        b"+abcd\r\n",
        b"+abcdef",
        b"$24\r\n",
    ];
    for wire in within {
        assert_eq!(read(&limits, &[wire]).1, Rest::Nothing, "{wire:?}");
    }
    for wire in beyond {
        let bytes: Vec<&[u8]> = wire.chunks(1).collect();
        for pieces in [&[*wire][..], &bytes] {
            assert_eq!(read(&limits, pieces).1, too_long, "{wire:?}");
        }
    }
}

#[test]
fn nothing_is_allocated_from_a_number_and_nothing_is_looked_at_twice() {
    let mut limits = RedisLimits::default();
    limits.items = usize::MAX;
    limits.reply = usize::MAX;
    let claims = [
        b"*1000000000\r\n".repeat(64),
        b"%4000000000000000000\r\n:1\r\n".to_vec(),
        b"$9000000000000000000\r\nabc".to_vec(),
    ];
    for claim in claims {
        let info = allocation_counter::measure(|| {
            assert_eq!(read(&limits, &[&claim]).1, Rest::Part);
        });
        assert!(info.bytes_max < 100_000, "{}", info.bytes_max);
    }

    // Byte by byte, all that ever has to come again is the beginning of a line of a few bytes.
    let mut wire = b"*2\r\n*20000\r\n".to_vec();
    wire.extend(b"$3\r\nabc\r\n".repeat(20_000));
    wire.extend(b"$100000\r\n");
    wire.extend(vec![b'x'; 100_000]);
    wire.extend(b"\r\n");
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    let (values, rest, most) = read(&RedisLimits::default(), &bytes);
    assert_eq!((values.len(), rest), (1, Rest::Nothing));
    assert!(most < 12, "{most} bytes were left unread");
}
