//! Runs steps in order, with a heading, a time and one closing line.

use std::time::Instant;

use crate::cargo::Workspace;

/// One check with a name that is also its command.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: fn(&Workspace) -> Result<Outcome, String>,
}

/// What a step that passed has to say.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Lines worth reading, for example what could not be checked here.
    pub(crate) notes: Vec<String>,
    /// Something was left out because this machine lacks what it needs.
    pub(crate) incomplete: bool,
}

impl Outcome {
    /// Passed, with one line to say.
    pub(crate) fn note(note: impl Into<String>) -> Self {
        Self {
            notes: vec![note.into()],
            incomplete: false,
        }
    }

    /// Passed as far as this machine allows, and this is what was left out.
    pub(crate) fn skipped(note: &str) -> Self {
        Self {
            notes: vec![format!("SKIPPED: {note}")],
            incomplete: true,
        }
    }
}

/// Runs the steps until one fails.
pub(crate) fn run_all(workspace: &Workspace, steps: &[Step]) -> Result<(), String> {
    let begin = Instant::now();
    let mut incomplete = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let place = format!("{}/{}", index + 1, steps.len());
        println!("\n=== {place} {}: {}", step.name, step.what);
        let step_begin = Instant::now();
        let outcome = (step.run)(workspace).map_err(|message| {
            format!(
                "step {place} `{}` failed after {:.1} s: {message}\n\
                 Run it alone with `cargo xtask {}`.",
                step.name,
                step_begin.elapsed().as_secs_f64(),
                step.name
            )
        })?;
        for note in &outcome.notes {
            println!("    {note}");
        }
        if outcome.incomplete {
            incomplete.push(step.name);
        }
        println!("    ok, {:.1} s", step_begin.elapsed().as_secs_f64());
    }
    let skipped = if incomplete.is_empty() {
        String::new()
    } else {
        format!(" (partly skipped here: {})", incomplete.join(", "))
    };
    println!(
        "\nAll {} steps passed in {:.0} s{skipped}.",
        steps.len(),
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}
