//! Writes tar archives by hand, hostile ones too, which no archive library would write.

use bytes::Bytes;

const BLOCK: usize = 512;
const CHECKSUM_AT: std::ops::Range<usize> = 148..156;

/// What an entry is, as tar marks it.
pub(super) const FILE: u8 = b'0';
pub(super) const HARD_LINK: u8 = b'1';
pub(super) const SYMLINK: u8 = b'2';
pub(super) const CHARACTER_DEVICE: u8 = b'3';
pub(super) const DIRECTORY: u8 = b'5';

/// An archive that grows entry by entry.
#[derive(Default)]
pub(super) struct TarWriter(Vec<u8>);

impl TarWriter {
    pub(super) fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(FILE, name, "", content)
    }

    pub(super) fn directory(self, name: &str) -> Self {
        self.entry(DIRECTORY, name, "", b"")
    }

    pub(super) fn link(self, kind: u8, name: &str, target: &str) -> Self {
        self.entry(kind, name, target, b"")
    }

    /// Adds an entry; names have at most 100 bytes.
    pub(super) fn entry(mut self, kind: u8, name: &str, target: &str, content: &[u8]) -> Self {
        let mode: &[u8] = if kind == DIRECTORY {
            b"0000755"
        } else {
            b"0000644"
        };
        let size = format!("{:011o}", content.len());
        let mut header = Vec::with_capacity(BLOCK);
        for (bytes, width) in [
            (name.as_bytes(), 100),
            (mode, 8),
            (b"0000000", 8),
            (b"0000000", 8),
            (size.as_bytes(), 12),
            (b"14000000000", 12),
            (b"        ", 8),
            (&[kind], 1),
            (target.as_bytes(), 100),
            (b"ustar\x0000", 8),
        ] {
            let end = header.len() + width;
            header.extend(bytes.iter().take(width));
            header.resize(end, 0);
        }
        header.resize(BLOCK, 0);
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header.splice(CHECKSUM_AT, format!("{sum:06o}\0 ").into_bytes());
        self.0.extend(header);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// The archive with its end mark.
    pub(super) fn finish(mut self) -> Bytes {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0.into()
    }
}
