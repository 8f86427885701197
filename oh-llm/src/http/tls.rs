//! TLS without global state.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::Verifier;

use crate::error::{Error, ErrorKind, Result};

/// TLS by ring that trusts what the system trusts. It is built here so that it does not matter
/// which provider, if any, the host program has installed for its whole process.
pub(super) fn config() -> Result<ClientConfig> {
    let failed = |error: rustls::Error| {
        Error::new(ErrorKind::Transport, "TLS could not be set up").with_source(error)
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(Arc::clone(&provider)).map_err(failed)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}
