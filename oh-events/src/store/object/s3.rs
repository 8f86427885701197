//! S3 and what speaks its protocol.

use std::sync::Arc;
use std::time::Duration;

use ::object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use ::object_store::client::{HttpClient, HttpConnector};
use ::object_store::{ClientOptions, Error as Failure, RetryConfig};
use oh_core::{Error, ErrorKind, Result};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;

use super::failure::translate;
use super::store::ObjectEventStore;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl ObjectEventStore {
    /// Keeps sessions in a bucket of S3, or of a service that speaks its protocol and honours
    /// `If-None-Match: *`. The builder says where it is and how to get in; its way to connect and
    /// to retry is replaced: TLS is rustls with ring and the certificates that the machine trusts.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the settings do not fit together,
    /// [`Unavailable`](ErrorKind::Unavailable) if the machine trusts no certificates.
    pub fn s3(bucket: AmazonS3Builder) -> Result<Self> {
        const OPERATION: &str = "open event store";
        let connector = Connector {
            client: client(OPERATION)?,
        };
        let store = bucket
            .with_http_connector(connector)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // Calls are repeated by the store, which knows which of them can be.
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
            .build()
            .map_err(|error| match translate(OPERATION, "S3", &error) {
                error if error.kind() == ErrorKind::Unavailable => {
                    Error::invalid(OPERATION, "the settings of the bucket do not fit together")
                        .with_object("S3")
                }
                error => error,
            })?;
        Ok(Self::new(Arc::new(store)))
    }
}

/// Hands out a client with our TLS.
#[derive(Debug)]
struct Connector {
    client: reqwest::Client,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient, Failure> {
        Ok(HttpClient::new(self.client.clone()))
    }
}

fn client(operation: &'static str) -> Result<reqwest::Client> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Unavailable, operation)
            .with_object("TLS")
            .with_detail(error.to_string())
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| failed(&error))?
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIMEOUT)
        // Sizes of objects are those of the bytes that are sent.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| failed(&error))
}
