//! Which server holds a key.

use md5::{Digest as _, Md5};

use super::Address;

/// How keys are shared among several servers. A server that is added or lost moves only its own share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hashing {
    /// As libmemcached does with weighted ketama, to the byte: programs in other languages find the same server.
    #[default]
    Ketama,
    /// The server with the highest score for the key: shares are more even, and nothing but the list is needed.
    Rendezvous,
}

pub(super) enum Ring {
    One,
    /// Points on a circle and the servers they belong to, in order.
    Ketama(Vec<(u32, usize)>),
    /// A seed and a weight for each server.
    Rendezvous(Vec<(u64, f64)>),
}

/// Points that a server of average weight has on the circle.
const POINTS: u16 = 160;

/// Points that one MD5 gives.
const POINTS_PER_HASH: u16 = 4;

impl Ring {
    pub(super) fn new(hashing: Hashing, servers: &[(Address, u32)]) -> Self {
        match (hashing, servers) {
            (_, [] | [_]) => Self::One,
            (Hashing::Ketama, _) => Self::Ketama(circle(servers)),
            (Hashing::Rendezvous, _) => {
                let server = |(address, weight): &(Address, u32)| {
                    (first_half(Md5::digest(address.to_string())), f64::from(*weight))
                };
                Self::Rendezvous(servers.iter().map(server).collect())
            }
        }
    }

    /// The index of the server that holds `key`.
    pub(super) fn server(&self, key: &[u8]) -> usize {
        match self {
            Self::One => 0,
            Self::Ketama(points) => {
                let hash = point(&Md5::digest(key), 0);
                let next = points.partition_point(|&(point, _)| point < hash);
                points.get(next).or(points.first()).map_or(0, |&(_, server)| server)
            }
            Self::Rendezvous(servers) => {
                let hash = first_half(Md5::digest(key));
                let scores = servers.iter().map(|&(seed, weight)| score(hash ^ seed, weight));
                let best = scores.enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
                best.map_or(0, |(server, _)| server)
            }
        }
    }
}

/// libmemcached's circle. It computes a server's share in single precision; so does this, to come to the same whole number.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as there")]
fn circle(servers: &[(Address, u32)]) -> Vec<(u32, usize)> {
    let total = servers.iter().map(|&(_, weight)| u64::from(weight)).sum::<u64>() as f32;
    let mut points = Vec::new();
    for (index, (address, weight)) in servers.iter().enumerate() {
        let share = *weight as f32 / total;
        let hashes = share * f32::from(POINTS) / f32::from(POINTS_PER_HASH) * servers.len() as f32;
        let hashes = (f64::from(hashes) + 1e-10) as f32;
        for number in 0..hashes.floor() as u32 {
            let hash = Md5::digest(format!("{}-{number}", name(address)));
            points.extend((0..usize::from(POINTS_PER_HASH)).map(|part| (point(&hash, part), index)));
        }
    }
    points.sort_unstable();
    points
}

/// A server's name on the circle: the usual port goes without saying.
fn name(address: &Address) -> String {
    match address {
        Address::Tcp { host, port: 11211 } => host.clone(),
        Address::Tcp { host, port } => format!("{host}:{port}"),
        Address::Unix(path) => format!("{}:0", path.display()),
    }
}

fn point(hash: &[u8], part: usize) -> u32 {
    hash.iter().skip(part * 4).take(4).rev().fold(0, |point, &byte| point << 8 | u32::from(byte))
}

fn first_half(hash: impl AsRef<[u8]>) -> u64 {
    hash.as_ref().iter().take(8).fold(0, |half, &byte| half << 8 | u64::from(byte))
}

/// The logarithmic method: a server's chance to have the highest score is its share of the weights.
#[expect(clippy::cast_precision_loss, reason = "53 bits of a hash are plenty")]
fn score(mixed: u64, weight: f64) -> f64 {
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let unit = (((mixed ^ (mixed >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -weight / unit.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(list: &[(&str, u32)]) -> Vec<(Address, u32)> {
        list.iter().map(|(address, weight)| (address.parse().unwrap(), *weight)).collect()
    }

    /// How 100,000 keys are shared, and a fingerprint of who got which.
    fn shares(ring: &Ring, servers: usize) -> (Vec<u32>, u64) {
        let mut shares = vec![0; servers];
        let fingerprint = (0..100_000).fold(1_469_598_103_934_665_603, |hash: u64, number| {
            let server = ring.server(format!("user:{number}").as_bytes());
            shares[server] += 1;
            (hash ^ server as u64).wrapping_mul(1_099_511_628_211)
        });
        (shares, fingerprint)
    }

    /// Computed with libmemcached 1.1 (`MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED`).
    #[test]
    fn ketama_is_libmemcacheds() {
        let weighted = servers(&[
            ("10.0.1.1", 600),
            ("10.0.1.2", 300),
            ("10.0.1.3", 200),
            ("10.0.1.4", 350),
            ("10.0.1.5", 1000),
            ("10.0.1.6", 800),
            ("10.0.1.7", 950),
            ("10.0.1.8", 100),
        ]);
        let expected = (vec![13_469, 6_868, 4_954, 8_998, 24_217, 16_876, 21_195, 3_423], 6_449_127_807_584_278_282);
        assert_eq!(shares(&Ring::new(Hashing::Ketama, &weighted), 8), expected);

        let equal = servers(&[("127.0.0.1:21211", 1), ("127.0.0.1:21212", 1), ("cache.example", 1)]);
        let expected = (vec![34_953, 31_181, 33_866], 14_211_785_351_497_047_282);
        assert_eq!(shares(&Ring::new(Hashing::Ketama, &equal), 3), expected);

        let seven = servers(&[("a:1", 1), ("b:2", 2), ("c:3", 3), ("d:4", 1), ("e:5", 5), ("f:6", 1), ("g:7", 7)]);
        let expected = (vec![6_177, 11_229, 13_728, 4_627, 25_355, 5_323, 33_561], 7_963_583_857_397_418_938);
        assert_eq!(shares(&Ring::new(Hashing::Ketama, &seven), 7), expected);
    }

    #[test]
    fn a_lost_server_moves_only_its_own_keys() {
        let all = servers(&[("a", 1), ("b", 1), ("c", 2), ("d", 1)]);
        for hashing in [Hashing::Ketama, Hashing::Rendezvous] {
            let (before, after) = (Ring::new(hashing, &all), Ring::new(hashing, &all[..3]));
            let moved = (0..20_000).filter(|number| {
                let key = format!("key:{number}");
                let server = before.server(key.as_bytes());
                server != 3 && server != after.server(key.as_bytes())
            });
            // ketama gives the others a little more or less room when the number of servers changes.
            let bound = if hashing == Hashing::Ketama { 20_000 / 20 } else { 0 };
            let moved = moved.count();
            assert!(moved <= bound, "{hashing:?} moved {moved} keys of the remaining servers");
        }
    }

    #[test]
    fn rendezvous_shares_by_weight() {
        let ring = Ring::new(Hashing::Rendezvous, &servers(&[("a", 1), ("b", 1), ("c", 2)]));
        let (shares, _) = shares(&ring, 3);
        for (share, expected) in shares.iter().zip([25_000u32, 25_000, 50_000]) {
            assert!(share.abs_diff(expected) < 700, "{shares:?}");
        }
    }
}
