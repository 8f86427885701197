//! The file below a segment, behind a trait so that tests can make it fail.

use std::fmt;
use std::fs::File;
use std::io::Result;
use std::os::unix::fs::FileExt;

pub(super) trait Medium: fmt::Debug + Send + Sync {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()>;
    fn set_len(&self, len: u64) -> Result<()>;
    fn sync(&self) -> Result<()>;
}

impl Medium for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        Self::set_len(self, len)
    }

    fn sync(&self) -> Result<()> {
        self.sync_data()
    }
}
