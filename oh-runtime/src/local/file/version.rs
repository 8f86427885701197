//! The mark of a file's content.

use oh_core::FileVersion;

use super::facts::Facts;

/// Content that is part of a mark. Beyond, a change is seen by size and times only.
pub(super) const HASHED_BYTES: u64 = 16 << 20;

/// Makes the mark of a file from what the system says of it and from its content.
pub(super) fn version(facts: &Facts, hash: Option<u64>) -> FileVersion {
    let Facts { dev, ino, size, .. } = facts;
    let (mtime, mtime_nanos) = facts.mtime;
    let (ctime, ctime_nanos) = facts.ctime;
    let mut mark =
        format!("{dev:x}.{ino:x}.{size:x}.{mtime:x}.{mtime_nanos:x}.{ctime:x}.{ctime_nanos:x}");
    if let Some(hash) = hash {
        mark.push_str(&format!(".{hash:016x}"));
    }
    FileVersion::new(mark)
}

/// FNV-1a over little-endian words of eight bytes, then over the bytes that are left.
///
/// It guards against changes within one tick of the clock, not against an adversary. Each step is
/// a bijection of the state, so two contents of one length that differ in one word never collide;
/// words instead of bytes make it eight times as fast.
#[derive(Debug)]
pub(super) struct ContentHash {
    state: u64,
    rest: [u8; 8],
    rest_len: usize,
    total: u64,
}

impl ContentHash {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    pub(super) fn new() -> Self {
        Self {
            state: Self::BASIS,
            rest: [0; 8],
            rest_len: 0,
            total: 0,
        }
    }

    pub(super) fn of(content: &[u8]) -> Option<u64> {
        let mut hash = Self::new();
        hash.push(content);
        hash.finish()
    }

    pub(super) fn push(&mut self, mut data: &[u8]) {
        self.total = self.total.saturating_add(data.len() as u64);
        if self.total > HASHED_BYTES {
            return;
        }
        while self.rest_len > 0 && !data.is_empty() {
            let Some((first, after)) = data.split_first() else {
                return;
            };
            if let Some(slot) = self.rest.get_mut(self.rest_len) {
                *slot = *first;
            }
            self.rest_len += 1;
            data = after;
            if self.rest_len == 8 {
                self.step(u64::from_le_bytes(self.rest));
                self.rest_len = 0;
            }
        }
        let (words, rest) = data.as_chunks::<8>();
        for word in words {
            self.step(u64::from_le_bytes(*word));
        }
        for (slot, byte) in self.rest.iter_mut().zip(rest) {
            *slot = *byte;
        }
        if !rest.is_empty() {
            self.rest_len = rest.len();
        }
    }

    /// The hash, unless there was more than [`HASHED_BYTES`].
    pub(super) fn finish(mut self) -> Option<u64> {
        let rest = self.rest;
        for byte in rest.iter().take(self.rest_len) {
            self.step(u64::from(*byte));
        }
        (self.total <= HASHED_BYTES).then_some(self.state)
    }

    fn step(&mut self, word: u64) {
        self.state = (self.state ^ word).wrapping_mul(Self::PRIME);
    }
}
