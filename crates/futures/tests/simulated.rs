//! Tasks and streams on the simulated network: under faults, and the same every time.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::Net;
use torsade_futures::{ReadError, open_connection, sleep, spawn, start_server, timeout};
use torsade_testing::sim::{Faults, Seeds, Sim};

const LINES: u32 = 20;

/// Answers each number with its double.
fn serve(net: &Net) {
    let served = start_server(net, "0.0.0.0:7", async |mut reader, writer| {
        loop {
            let line = reader.read_line().await?;
            let text = String::from_utf8_lossy(&line);
            let Ok(number) = text.trim_end().parse::<u32>() else {
                return Ok::<(), ReadError>(());
            };
            writer.write(format!("{}\n", 2 * number));
            writer.drain().await?;
        }
    });
    if served.is_err() {
        net.call_later(Duration::from_secs(1), serve);
    }
}

/// Asks from `next` on, until a question fails or takes too long.
async fn ask(net: &Net, next: &Cell<u32>) -> Result<(), Box<dyn Error>> {
    let (mut reader, writer) = open_connection(net, "server:7").await?;
    while next.get() < LINES {
        writer.write(format!("{}\n", next.get()));
        let line = timeout(net, Duration::from_secs(5), reader.read_line()).await??;
        if line.is_empty() {
            return Err("the server went".into());
        }
        let answer = String::from_utf8(line)?;
        assert_eq!(
            answer.trim_end().parse(),
            Ok(2 * next.get()),
            "another's answer"
        );
        next.set(next.get() + 1);
        sleep(net, Duration::from_millis(700)).await;
    }
    Ok(())
}

fn client(net: &Net, next: Rc<Cell<u32>>, failures: Rc<Cell<u32>>) {
    let here = net.clone();
    let asking = async move {
        while ask(&here, &next).await.is_err() {
            failures.set(failures.get() + 1);
            sleep(&here, Duration::from_secs(1)).await;
        }
    };
    spawn(net, asking).detach();
}

#[test]
fn a_client_under_faults_is_answered_in_the_end_and_never_wrongly() {
    let all_failures = Cell::new(0);
    let tried = Seeds::run(40, |seed| {
        let mut net = Sim::new(seed);
        let (next, failures) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        net.host("server").boot(serve);
        let (asked, failed) = (Rc::clone(&next), Rc::clone(&failures));
        net.host("ann")
            .boot(move |net| client(net, Rc::clone(&asked), Rc::clone(&failed)));
        net.swarm(Faults::all().within(Duration::from_secs(30)));
        net.advance(Duration::from_secs(30));
        net.calm();
        let all = || next.get() == LINES;
        net.must_finish("every answer", Duration::from_secs(3600), all);
        all_failures.set(all_failures.get() + failures.get());
    });
    assert_eq!(tried.twice, 1, "a seed gave the same run twice");
    assert!(all_failures.get() > 10, "the faults did nothing");
}

#[test]
fn a_partition_times_a_read_out_and_what_comes_later_is_not_lost() {
    let mut net = Sim::new(3);
    net.host("server").boot(serve);
    let here = net.host("ann").net().clone();
    let said = Rc::new(RefCell::new(Vec::new()));
    let say = Rc::clone(&said);
    let talk = spawn(&here.clone(), async move {
        let (mut reader, writer) = open_connection(&here, "server:7").await.unwrap();
        say.borrow_mut().push("connected".to_owned());
        sleep(&here, Duration::from_secs(1)).await;
        writer.write("21\n");
        let short = timeout(&here, Duration::from_secs(2), reader.read_line()).await;
        say.borrow_mut().push(format!("{short:?}"));
        let line = reader.read_line().await.unwrap();
        say.borrow_mut().push(String::from_utf8(line).unwrap());
    });
    net.run_until(|| !said.borrow().is_empty());
    let cut = net.partition("ann", "server");
    net.advance(Duration::from_secs(10));
    drop(cut);
    net.run_until(|| talk.is_finished());
    assert_eq!(*said.borrow(), ["connected", "Err(Elapsed)", "42\n"]);
}
