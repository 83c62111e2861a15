//! This program, once more, under strace.

use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The variable that tells which scene to play.
pub(crate) const SCENE: &str = "TORSADE_SCENE";

/// A scene that is being played.
pub(crate) struct Traced {
    pub(crate) child: Child,
    report: PathBuf,
}

/// Play a scene on a driver, with more options for strace and one more variable for the scene.
/// None where there is no strace.
pub(crate) fn start(
    scene: &str,
    driver: &str,
    options: &[String],
    (variable, value): (&str, &str),
) -> Option<Traced> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(env::var_os("CI").is_none(), "strace is missing");
        eprintln!("SKIPPED: strace is missing");
        return None;
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let report = format!("torsade-strace-{}-{number}", std::process::id());
    let report = env::temp_dir().join(report);
    let child = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(&report)
        .args(options)
        .arg(env::current_exe().unwrap())
        .args(["--exact", "scene", "--test-threads=1"])
        .env(SCENE, scene)
        .env("TORSADE_DRIVER", driver)
        .env(variable, value)
        .stdout(Stdio::null())
        .spawn();
    Some(Traced {
        child: child.unwrap(),
        report,
    })
}

impl Traced {
    /// Wait for the end, which must be a good one, and return what strace has written.
    pub(crate) fn finish(mut self) -> String {
        let status = self.child.wait().unwrap();
        let report = std::fs::read_to_string(&self.report).unwrap();
        assert!(status.success(), "the scene ended badly: {status}");
        report
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Of one that is over already nothing is left to end or to remove.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.report);
    }
}
