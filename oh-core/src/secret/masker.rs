//! Finds secrets and puts the mask in their place.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::forms::{self, MIN_BYTES, Pattern};
use crate::secret::searcher::{Searcher, Sink};
use crate::secret::stream_masker::StreamMasker;
use crate::secret::value::Secret;

/// Replaces secrets by [`MASK`](crate::secret::MASK) in texts, bytes and streams. Cheap to clone.
///
/// Secrets that overlap are replaced by one mask. A secret of eight bytes or more is also found
/// in base64 (standard and URL-safe, wherever it stands in the encoded data), percent-encoded and
/// inside a JSON string; one of several lines also with the line ends of a terminal, and line by
/// line, where a line has 16 bytes or more. In base64, up to four bits of the first and of the last byte can be left beside the mask, in digits that are
/// shared with a neighbour.
///
/// Other transformations (hex, compression, a secret split by other output) are not recognised.
///
/// ```
/// use oh_core::secret::{Masker, Secret};
/// let masker = Masker::new([("token", Secret::new("hunter22"))])?;
/// assert_eq!(masker.mask("TOKEN=hunter22\n"), "TOKEN=<secret_hidden>\n");
/// # Ok::<(), oh_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Masker(Option<Arc<Known>>);

struct Known {
    secrets: Vec<(String, Secret)>,
    patterns: Vec<Pattern>,
    searcher: Searcher,
}

/// What an edge of a piece of output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Edge {
    /// The beginning or end of the output itself.
    Whole,
    /// A cut: more was there, which may hold the rest of a secret.
    Cut,
}

impl Masker {
    /// Creates a masker for named secrets; the names are for messages only.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a secret of less than four bytes (line ends
    /// at its end not counted), which occurs by chance; [`TooLarge`](ErrorKind::TooLarge) where
    /// the secrets together are larger than can be searched for.
    pub fn new<N: Into<String>>(secrets: impl IntoIterator<Item = (N, Secret)>) -> Result<Self> {
        let secrets = secrets
            .into_iter()
            .map(|(name, secret)| (name.into(), secret));
        Self::build(secrets.collect())
    }

    /// Creates a masker that knows one more secret. A name that is known already keeps its former
    /// value masked too, as that value may still be printed.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with(&self, name: impl Into<String>, secret: Secret) -> Result<Self> {
        let mut secrets = self
            .known()
            .map_or_else(Vec::new, |known| known.secrets.clone());
        secrets.push((name.into(), secret));
        Self::build(secrets)
    }

    /// Creates a masker that knows what both know.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) where the secrets together are larger than can be
    /// searched for.
    pub fn merge(&self, other: &Self) -> Result<Self> {
        let (Some(known), Some(others)) = (self.known(), other.known()) else {
            return Ok(match self.is_empty() {
                true => other.clone(),
                false => self.clone(),
            });
        };
        let mut secrets = known.secrets.clone();
        for (name, secret) in &others.secrets {
            let is_known = secrets
                .iter()
                .any(|(n, s)| n == name && s.expose() == secret.expose());
            if !is_known {
                secrets.push((name.clone(), secret.clone()));
            }
        }
        Self::build(secrets)
    }

    fn build(secrets: Vec<(String, Secret)>) -> Result<Self> {
        const OPERATION: &str = "mask secret";
        if secrets.is_empty() {
            return Ok(Self(None));
        }
        let mut patterns = Vec::new();
        for (name, secret) in &secrets {
            if forms::core(secret.expose()).len() < MIN_BYTES {
                return Err(Error::invalid(
                    OPERATION,
                    "a secret needs at least 4 bytes, as a shorter one occurs by chance",
                )
                .with_object(name.as_str()));
            }
            patterns.extend(forms::forms(secret.expose()));
        }
        patterns.sort_unstable_by(|a, b| a.as_slice().cmp(b.as_slice()));
        patterns.dedup_by(|a, b| a.as_slice() == b.as_slice());
        // The source is not attached: it may describe the patterns.
        let searcher = Searcher::new(&patterns).map_err(|_| {
            Error::new(ErrorKind::TooLarge, OPERATION)
                .with_detail("the secrets together are too large to be searched for")
        })?;
        Ok(Self(Some(Arc::new(Known {
            secrets,
            patterns,
            searcher,
        }))))
    }

    /// True where no secret is known and everything passes through.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Names of the secrets, in the order in which they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let secrets = self.known().map_or(&[][..], |known| &known.secrets);
        secrets.iter().map(|(name, _)| name.as_str())
    }

    /// Masks a text.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.mask_piece(text, Edge::Whole, Edge::Whole)
    }

    /// Masks bytes.
    pub fn mask_bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        self.mask_piece_bytes(bytes, Edge::Whole, Edge::Whole)
    }

    /// Masks a piece of a text: at a cut, a part of a secret (four bytes or more) is hidden too.
    pub fn mask_piece<'t>(&self, text: &'t str, start: Edge, end: Edge) -> Cow<'t, str> {
        match self.mask_piece_bytes(text.as_bytes(), start, end) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
                Ok(text) => text,
                // A cut inside of a character that a secret holds.
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    /// Masks a piece of output: at a cut, a part of a secret (four bytes or more) is hidden too.
    pub fn mask_piece_bytes<'t>(&self, bytes: &'t [u8], start: Edge, end: Edge) -> Cow<'t, [u8]> {
        let Some(known) = self.known() else {
            return Cow::Borrowed(bytes);
        };
        let cut = match start {
            Edge::Whole => 0,
            Edge::Cut if end == Edge::Cut && known.is_inside_a_secret(bytes) => bytes.len(),
            Edge::Cut => known.cut_secret(bytes),
        };
        if cut == 0 && !known.occurs(bytes, end) {
            return Cow::Borrowed(bytes);
        }
        let mut stream = self.stream();
        let mut out = Vec::with_capacity(bytes.len());
        if cut > 0 {
            out.extend_from_slice(&stream.begin_hidden(cut));
        }
        out.extend_from_slice(&stream.push(Bytes::copy_from_slice(bytes)));
        out.extend_from_slice(&stream.finish_at(end));
        Cow::Owned(out)
    }

    /// Starts masking a stream.
    pub fn stream(&self) -> StreamMasker {
        StreamMasker::new(self.clone())
    }

    pub(super) fn searcher(&self) -> Option<&Searcher> {
        self.known().map(|known| &known.searcher)
    }

    fn known(&self) -> Option<&Known> {
        self.0.as_deref()
    }
}

impl Known {
    fn occurs(&self, bytes: &[u8], end: Edge) -> bool {
        let mut found = false;
        let state = self.searcher.read(self.searcher.start(), bytes, |_, _| {
            found = true;
            Sink::Enough
        });
        found || end == Edge::Cut && self.searcher.held(state) >= MIN_BYTES
    }

    /// True for a piece that was cut out of the middle of a pattern.
    fn is_inside_a_secret(&self, bytes: &[u8]) -> bool {
        bytes.len() >= MIN_BYTES
            && self
                .patterns
                .iter()
                .any(|pattern| pattern.windows(bytes.len()).any(|window| window == bytes))
    }

    /// Length of the longest end of a pattern that the bytes begin with.
    fn cut_secret(&self, bytes: &[u8]) -> usize {
        let mut longest = 0;
        for pattern in &self.patterns {
            for first in 1..pattern.len() {
                let end = pattern.get(first..).unwrap_or_default();
                if end.len() < MIN_BYTES || end.len() <= longest {
                    break;
                }
                if bytes.starts_with(end) {
                    longest = end.len();
                    break;
                }
            }
        }
        longest
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masker")?;
        f.debug_list().entries(self.names()).finish()
    }
}
