//! However a conversation is cut, it is the same.

use torsade_core::Disconnect;
use torsade_testing::StringTransport;

use crate::recorder::{
    Abab, CrLf, Delimiter, Event, Lf, LfCrLf, Log, Recorder, Rules, TooLong, expected, told,
};

const RULES: Rules = Rules {
    max_length: 40,
    too_long: TooLong::Skip,
};

/// Feed it whole, byte by byte, cut in two anywhere, and cut in three anywhere.
fn cut_everywhere<D: Delimiter>(rules: Rules, input: &[u8]) {
    let events = expected::<D>(rules, input);
    let check = |pieces: &[&[u8]]| {
        let told = told::<D>(rules, pieces);
        assert_eq!(told, events, "{rules:?}, in pieces {pieces:?}");
    };
    check(&[input]);
    check(&input.chunks(1).collect::<Vec<_>>());
    for first in 1..input.len() {
        let (one, others) = input.split_at(first);
        check(&[one, others]);
        for second in 1..others.len().min(12) {
            let (two, three) = others.split_at(second);
            check(&[one, two, three]);
        }
    }
}

/// A mail is handed over: short lines, an empty one, dots, a bare CR and a bare LF.
const SMTP: &[u8] =
    b"EHLO example.org\r\nMAIL FROM:<a@b>\r\nDATA\r\n\r\n..\r\na\rb\nc\r\n.\r\nQUIT\r\n";

/// A client of a cache: a command line, a block of which the length was said, and so on.
const CACHE: &[u8] = b"Rset 5\r\n\r\nab\r\nget\r\nset R\r\n1234\r\n\r\nlast\r\n";

#[test]
fn recorded_conversations_give_the_same_lines_in_every_split() {
    cut_everywhere::<CrLf>(RULES, SMTP);
    cut_everywhere::<Lf>(RULES, SMTP);
    cut_everywhere::<CrLf>(RULES, CACHE);
    cut_everywhere::<Lf>(RULES, CACHE);
}

#[test]
fn the_model_itself_says_what_a_reader_would() {
    let line = |text: &str| Event::Line(text.into());
    let events = expected::<CrLf>(RULES, b"a\rb\nc\r\n\r\nxRy\r\n\r\n.d\r\ne\r");
    assert_eq!(
        events[..6],
        [
            line("a\rb\nc"),
            line(""),
            line("xRy"),
            Event::Raw(b"\r\n.".into()),
            line("d"),
            Event::Eof(b"e\r".into()),
        ],
    );
}

#[test]
fn a_reset_at_any_byte_ends_it_there_and_passes_no_rest_on() {
    for length in 0..=SMTP.len() {
        let mut events = expected::<CrLf>(RULES, &SMTP[..length]);
        events.truncate(events.len() - 2); // the end, and the loss for that reason
        events.push(Event::Lost(Disconnect::Reset));
        let log = Log::default();
        let mut t = StringTransport::serve(Recorder::<CrLf>::framed(RULES, &log));
        t.feed(&SMTP[..length]);
        t.reset();
        assert_eq!(t.lost(), Some(Disconnect::Reset));
        assert_eq!(*log.borrow(), events);
    }
}

#[test]
fn a_delimiter_may_be_long_and_overlap_itself() {
    cut_everywhere::<LfCrLf>(RULES, b"one\n\r\n\n\r\n\ntwo\n\n\r\n\r\n\r\n\n\r");
    cut_everywhere::<Abab>(RULES, b"ababxababababbabaabababaababcab");
}

#[test]
fn lines_need_not_be_text() {
    cut_everywhere::<CrLf>(
        RULES,
        b"\xff\xfe\r\n\0\r\n\xc3\r\n\xa9\x0d\x85\r\n\xed\xa0\x80",
    );
    cut_everywhere::<Lf>(RULES, &(0..=u8::MAX).collect::<Vec<_>>());
}

#[test]
fn what_is_done_between_lines_changes_no_line() {
    for conversation in [
        &b"one\r\nP\r\ntwo\r\nPP\r\n\r\nthree"[..],
        b"H\r\none\r\nHH\r\nH\r\ntwo\r\nthr",
        b"one\r\nS\r\ntwo\r\nSR\r\nthree\r\n\r\nS\r\nfour",
        b"P\r\nRRR\r\nP\r\nH\r\nRR\r\n\r\n\r\nlast",
    ] {
        cut_everywhere::<CrLf>(RULES, conversation);
    }
}

#[test]
fn nothing_comes_after_a_close() {
    cut_everywhere::<CrLf>(RULES, b"one\r\nC\r\ntwo\r\nthree\r\n");
    let told = told::<CrLf>(RULES, &[b"one\r\nC\r\ntwo\r\n"]);
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn a_line_that_is_too_long_is_noticed_at_each_position() {
    for too_long in [TooLong::End, TooLong::Skip, TooLong::SkipToRaw(3)] {
        let rules = Rules {
            max_length: 4,
            too_long,
        };
        for long in [&b"12345"[..], b"1234567\r", b"\r\r\r\r\r", b"1234\n5\r\r"] {
            for position in 0..3 {
                let mut lines = [&b"1234"[..], b"", b"567\r"];
                lines[position] = long;
                let whole = [lines.join(&b"\r\n"[..]), b"\r\nend\r\n".to_vec()].concat();
                cut_everywhere::<CrLf>(rules, &whole);
                cut_everywhere::<Lf>(rules, &whole);
                let unfinished = lines[..=position].join(&b"\r\n"[..]);
                cut_everywhere::<CrLf>(rules, &unfinished);
            }
        }
        cut_everywhere::<Abab>(rules, b"xxxxaabababab12aba12abaabab1234abab12345");
        cut_everywhere::<LfCrLf>(rules, b"\n\n\n\n\r\n\n\n\n\n\n\n\r\n\n\n\n\n\n\r");
    }
}

#[test]
fn the_longest_line_allowed_is_allowed_in_every_split() {
    for max_length in 0..4 {
        let rules = Rules {
            max_length,
            too_long: TooLong::End,
        };
        let line = [&b"xxxx"[..max_length], b"\r\n"].concat();
        cut_everywhere::<CrLf>(rules, &line.repeat(3));
        cut_everywhere::<CrLf>(rules, &[&line, &b"xxxx"[..max_length], b"\r"].concat());
    }
}
