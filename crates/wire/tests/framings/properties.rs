//! What is sent in one framing comes out of it, for any messages and any cuts.

use proptest::collection::vec;
use proptest::prelude::*;
use torsade_core::Transport;
use torsade_testing::StringTransport;
use torsade_wire::{
    Decoder, Encoder, Framed, Int8, Int16, Int16Le, Int32, Int32Le, MessageProtocol,
    MessageTransport, Netstring,
};

struct Keep<F>(Vec<Vec<u8>>, F);

impl<F: for<'a> Decoder<Message<'a> = &'a [u8]>> MessageProtocol for Keep<F> {
    type Framing = F;

    fn message_received(&mut self, _: &Transport<Self>, message: &[u8]) {
        let _ = &self.1;
        self.0.push(message.to_vec());
    }
}

fn there_and_back<F>(messages: &[Vec<u8>], cuts: &[usize])
where
    F: Default + for<'a> Encoder<&'a [u8]> + for<'a> Decoder<Message<'a> = &'a [u8]>,
{
    let end = || StringTransport::serve(Framed::new(Keep(Vec::new(), F::default())));
    let mut from = end();
    let transport = from.with_protocol(|_, transport| transport.inner());
    for message in messages {
        assert_eq!(transport.send_message(&message[..]), Ok(()));
    }
    let sent = from.take_sent();
    let mut to = end();
    let mut rest = &sent[..];
    for cut in cuts {
        let (piece, others) = rest.split_at((*cut).min(rest.len()));
        to.feed(piece);
        rest = others;
    }
    to.feed(rest);
    let came = to.protocol(|framed| std::mem::take(&mut framed.get_mut().0));
    assert_eq!(came, messages);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_sent_comes_out_whole(
        messages in vec(vec(any::<u8>(), 0..256), 0..12),
        cuts in vec(1..300usize, 0..20),
    ) {
        there_and_back::<Int8>(&messages, &cuts);
        there_and_back::<Int16>(&messages, &cuts);
        there_and_back::<Int16Le>(&messages, &cuts);
        there_and_back::<Int32>(&messages, &cuts);
        there_and_back::<Int32Le>(&messages, &cuts);
        there_and_back::<Netstring>(&messages, &cuts);
    }
}
