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

/// `KEYS[1]`, the bytes that must stand there, those that shall, and the ttl in milliseconds if there is one.
pub(super) static COMPARE_AND_SET: Script = Script {
    text: COMPARE_AND_SET_TEXT,
    hash: LazyLock::new(|| redis::Script::new(COMPARE_AND_SET_TEXT).get_hash().to_owned()),
};

const COMPARE_AND_SET_TEXT: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1";
