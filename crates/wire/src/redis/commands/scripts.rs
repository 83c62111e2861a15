use torsade_deferred::Deferred;

use super::Commands;
use crate::redis::{Command, RedisError, ToArgument, Value};

/// Scripts.
impl Commands {
    /// Run a Lua script with these keys and arguments. A number that it returns is an integer; a
    /// table is an array.
    #[doc(alias = "EVAL")]
    #[track_caller]
    pub fn eval(
        &self,
        script: impl ToArgument,
        keys: &[impl ToArgument],
        arguments: &[impl ToArgument],
    ) -> Deferred<Value, RedisError> {
        self.send(&script_of("EVAL", script, keys, arguments))
    }

    /// Run a script that the server knows by this digest.
    /// [`ErrorCode::NoScript`](crate::redis::ErrorCode::NoScript) says that it does not.
    #[doc(alias = "EVALSHA")]
    #[track_caller]
    pub fn evalsha(
        &self,
        digest: impl ToArgument,
        keys: &[impl ToArgument],
        arguments: &[impl ToArgument],
    ) -> Deferred<Value, RedisError> {
        self.send(&script_of("EVALSHA", digest, keys, arguments))
    }

    /// Make a script known. Its digest, for [`evalsha`](Self::evalsha).
    #[doc(alias = "SCRIPTLOAD")]
    #[track_caller]
    pub fn script_load(&self, script: impl ToArgument) -> Deferred<String, RedisError> {
        self.send(&["SCRIPT".into(), "LOAD".into(), script.to_argument()])
    }

    /// Call a function of a library, since Redis 7.
    #[doc(alias = "FCALL")]
    #[track_caller]
    pub fn fcall(
        &self,
        function: impl ToArgument,
        keys: &[impl ToArgument],
        arguments: &[impl ToArgument],
    ) -> Deferred<Value, RedisError> {
        self.send(&script_of("FCALL", function, keys, arguments))
    }
}

fn script_of(
    name: &str,
    script: impl ToArgument,
    keys: &[impl ToArgument],
    arguments: &[impl ToArgument],
) -> Command {
    Command::new(name)
        .arg(script)
        .arg(keys.len())
        .args(keys)
        .args(arguments)
}
