//! Generations: what a `clear` has emptied, whose entries are still to be swept out.

use crate::QualifiedKey;

/// The version of a shard's latest write. It wraps: 2³² writes to one shard later a version means something else, which nobody
/// waits for who holds one.
pub(super) type Version = u32;

/// A shard's clears that have not been swept out yet. Nearly always none, so that a read pays one look at an empty list.
#[derive(Debug, Default)]
pub(super) struct Cleared(Vec<Clear>);

#[derive(Debug)]
struct Clear {
    scope: Scope,
    version: Version,
}

/// What a clear empties.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Everything,
    Namespace(Box<str>),
}

impl Cleared {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// From now on no entry of `scope` up to `version` is there.
    pub(super) fn clear(&mut self, scope: Scope, version: Version) {
        match self.0.iter_mut().find(|clear| clear.scope == scope) {
            Some(clear) => clear.version = version,
            None => self.0.push(Clear { scope, version }),
        }
    }

    /// Whether the entry of that key and version has been cleared.
    pub(super) fn covers(&self, key: QualifiedKey<'_>, version: Version) -> bool {
        self.0.iter().any(|clear| {
            let in_scope = match &clear.scope {
                Scope::Everything => true,
                Scope::Namespace(namespace) => **namespace == *key.namespace,
            };
            in_scope && is_up_to(version, clear.version)
        })
    }

    /// Everything up to `version` has been swept out.
    pub(super) fn swept(&mut self, version: Version) {
        self.0.retain(|clear| !is_up_to(clear.version, version));
    }
}

/// Whether `version` is not after `other`, as the counter wraps.
fn is_up_to(version: Version, other: Version) -> bool {
    other.wrapping_sub(version) <= Version::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &'static str) -> QualifiedKey<'static> {
        QualifiedKey { namespace, key: "key" }
    }

    #[test]
    fn a_clear_covers_its_namespace_up_to_its_version() {
        let mut cleared = Cleared::default();
        cleared.clear(Scope::Namespace("a".into()), 5);
        assert!(cleared.covers(key("a"), 5) && !cleared.covers(key("a"), 6) && !cleared.covers(key("b"), 1));
        cleared.clear(Scope::Everything, 7);
        assert!(cleared.covers(key("b"), 7) && !cleared.covers(key("b"), 8));
        cleared.swept(5);
        assert!(cleared.covers(key("a"), 6), "the later clear is still to be swept");
        cleared.swept(7);
        assert!(cleared.is_empty());
    }

    #[test]
    fn versions_wrap() {
        let mut cleared = Cleared::default();
        cleared.clear(Scope::Everything, Version::MAX);
        assert!(cleared.covers(key("a"), Version::MAX - 1) && !cleared.covers(key("a"), 0));
    }
}
