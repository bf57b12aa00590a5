//! Encrypted connections. The server's certificate is always checked.

use std::{fmt, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use super::connect::unreachable_server;
use crate::{Error, ErrorKind, Result};

/// How connections are encrypted: by rustls, the server's certificate checked.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Trusts the public authorities that Mozilla trusts.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the cryptography cannot be set up.
    pub fn public() -> Result<Self> {
        Self::trusting(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    /// Trusts only the authorities in `pem`, which holds one certificate or several.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there is no certificate in it, or a broken one.
    pub fn authorities(pem: &[u8]) -> Result<Self> {
        let invalid = || Error::new(ErrorKind::Config, "expected one or more certificates in PEM text");
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| invalid().with_source(error))?;
            roots.add(certificate).map_err(|error| invalid().with_source(error))?;
        }
        if roots.is_empty() { Err(invalid()) } else { Self::trusting(roots) }
    }

    fn trusting(roots: RootCertStore) -> Result<Self> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(ErrorKind::Config, "cannot set up TLS").with_source(error))?;
        Ok(Self(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }

    pub(super) async fn connect(&self, socket: TcpStream, host: &str) -> Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| {
            Error::new(ErrorKind::Config, "the host is no name that TLS can check").with_source(error)
        })?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, socket).await.map_err(unreachable_server)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
