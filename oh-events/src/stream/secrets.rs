//! The secrets of a stream, which may become more while it lives.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::{Bytes, BytesMut};
use oh_core::Result;
use oh_core::secret::{Edge, Masker, Secret, StreamMasker};

#[derive(Debug)]
pub(super) struct Secrets {
    current: RwLock<Current>,
    /// Held while a new masker is built, which takes longer than reading may wait.
    update: Mutex<()>,
}

#[derive(Clone, Debug)]
struct Current {
    masker: Masker,
    generation: u64,
}

impl Secrets {
    pub(super) fn new(masker: Masker) -> Self {
        Self {
            current: RwLock::new(Current {
                masker,
                generation: 0,
            }),
            update: Mutex::new(()),
        }
    }

    pub(super) fn masker(&self) -> Masker {
        self.current().masker
    }

    pub(super) fn replace(&self, masker: Masker) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.masker = masker;
        current.generation += 1;
    }

    pub(super) fn add(&self, name: &str, secret: Secret) -> Result<()> {
        let _one = self.update.lock().unwrap_or_else(PoisonError::into_inner);
        self.replace(self.masker().with(name, secret)?);
        Ok(())
    }

    fn current(&self) -> Current {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }
}

/// Masks one stream of output with the secrets of an event stream, those included that become
/// known while it runs.
#[must_use = "what was pushed comes out of `push` and `finish`"]
pub struct OutputMasker {
    secrets: Arc<Secrets>,
    generation: u64,
    /// One for each set of secrets since the start; what one gives out goes into the next.
    stages: Vec<StreamMasker>,
    /// The next chunk follows a gap.
    after_gap: bool,
}

impl OutputMasker {
    pub(super) fn new(secrets: &Arc<Secrets>) -> Self {
        let current = secrets.current();
        Self {
            secrets: Arc::clone(secrets),
            generation: current.generation,
            stages: vec![current.masker.stream()],
            after_gap: false,
        }
    }

    /// Takes a chunk and gives out what is certain by now; may be empty.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        let current = self.secrets.current();
        if current.generation != self.generation {
            self.generation = current.generation;
            self.stages.push(current.masker.stream());
        }
        let chunk = match std::mem::take(&mut self.after_gap) {
            true => match current
                .masker
                .mask_piece_bytes(&chunk, Edge::Cut, Edge::Whole)
            {
                Cow::Borrowed(_) => chunk,
                Cow::Owned(masked) => masked.into(),
            },
            false => chunk,
        };
        self.stages
            .iter_mut()
            .fold(chunk, |chunk, stage| stage.push(chunk))
    }

    /// Notes that bytes are missing here and gives out the rest of what came before them. What
    /// the gap leaves of a secret (four bytes or more on one side, in one chunk) is hidden.
    pub fn gap(&mut self) -> Bytes {
        self.after_gap = true;
        self.finish(Edge::Cut)
    }

    /// Says that the output begins in the middle: what stands at its beginning of a secret (four
    /// bytes or more, in the first chunk) is hidden.
    pub fn resume(&mut self) {
        self.after_gap = true;
    }

    /// Gives out the rest. At a cut, the beginning of a secret (four bytes or more) is hidden too.
    pub fn finish(&mut self, end: Edge) -> Bytes {
        self.stages.iter_mut().fold(Bytes::new(), |rest, stage| {
            let mut out = BytesMut::from(&stage.push(rest)[..]);
            out.extend_from_slice(&stage.finish_at(end));
            out.freeze()
        })
    }
}

impl fmt::Debug for OutputMasker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputMasker")
            .field("stages", &self.stages)
            .finish_non_exhaustive()
    }
}
