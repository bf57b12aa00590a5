//! What must happen on the server in one step and is no command there.

use std::sync::LazyLock;

/// A Lua script and the name that servers give it.
pub(super) struct Script {
    text: &'static str,
    hash: LazyLock<String>,
}

impl Script {
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    pub(super) fn text(&self) -> &str {
        self.text
    }
}

impl Script {
    const fn new(text: &'static str, hash: fn() -> String) -> Self {
        Self { text, hash: LazyLock::new(hash) }
    }
}

macro_rules! script {
    ($text:expr) => {
        Script::new($text, || redis::Script::new($text).get_hash().to_owned())
    };
}

/// `KEYS[1]`, the bytes that must stand there, those that shall, and the ttl in milliseconds if there is one.
pub(super) static COMPARE_AND_SET: Script = script!(
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1"
);

/// `KEYS[1]` and the bytes that must stand there.
pub(super) static COMPARE_AND_DELETE: Script = script!(
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])"
);

/// `KEYS[1]`, the bytes that shall stand there unless something does, and the ttl in milliseconds if there is one. Answers
/// nothing, or what stands there with what `PTTL` says of it.
pub(super) static CLAIM: Script = script!(
    "local held = redis.call('GET', KEYS[1])
if held then return {held, redis.call('PTTL', KEYS[1])} end
if ARGV[2] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) else redis.call('SET', KEYS[1], ARGV[1]) end
return false"
);
