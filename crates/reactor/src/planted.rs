/// Whether a deliberate fault is in this build, for the rigs to find: in no usual one. See
/// `tests/planted.md`.
#[cfg(not(planted))]
macro_rules! planted {
    ($fault:literal) => {
        false
    };
}

/// Whether this is the fault to have: one program is built with all of them, and told which.
#[cfg(planted)]
macro_rules! planted {
    ($fault:literal) => {{
        static HAS: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *HAS.get_or_init(|| std::env::var("TORSADE_PLANTED").is_ok_and(|it| it == $fault))
    }};
}
