//! TLS by rustls, verified: against the roots of the web, or against the authorities of a file.

#[cfg(not(feature = "tls"))]
pub(super) use self::disabled::Tls;
#[cfg(feature = "tls")]
pub(super) use self::enabled::Tls;

#[cfg(feature = "tls")]
mod enabled {
    use std::{io, sync::Arc};

    use tokio::net::TcpStream;
    use tokio_rustls::{
        TlsConnector,
        client::TlsStream,
        rustls::{
            ClientConfig, RootCertStore,
            crypto::ring,
            pki_types::{CertificateDer, ServerName, pem::PemObject},
        },
    };

    use crate::{Error, Result};

    /// Which authorities are trusted.
    #[derive(Clone)]
    pub(in crate::far::redis) struct Tls {
        connector: TlsConnector,
        ca: Option<Arc<[u8]>>,
    }

    impl Tls {
        /// Trusts the authorities in `ca`, a PEM file, and no others; without one, those of the web.
        pub(in crate::far::redis) fn new(ca: Option<&str>) -> Result<Self> {
            let ca = ca.map(read).transpose()?;
            let roots = match &ca {
                Some((path, pem)) => authorities(path, pem)?,
                None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
            };
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| Error::config("TLS is not available").with_source(error))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Self { connector: TlsConnector::from(Arc::new(config)), ca: ca.map(|(_, pem)| pem) })
        }

        /// Speaks TLS over `socket`, once the server has proved to be `host`.
        pub(in crate::far::redis) async fn connect(
            &self,
            host: &str,
            socket: TcpStream,
        ) -> io::Result<TlsStream<TcpStream>> {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            self.connector.connect(name, socket).await
        }

        /// The PEM text of the authorities, where a file gave them.
        pub(in crate::far::redis) fn ca(&self) -> Option<&[u8]> {
            self.ca.as_deref()
        }
    }

    fn read(path: &str) -> Result<(&str, Arc<[u8]>)> {
        let pem = std::fs::read(path);
        let pem = pem.map_err(|error| Error::config(format!("option `ca`: cannot read {path}")).with_source(error))?;
        Ok((path, pem.into()))
    }

    fn authorities(path: &str, pem: &[u8]) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
                Error::config(format!("option `ca`: no PEM certificates in {path}")).with_source(error)
            };
            let certificate = certificate.map_err(|error| unreadable(error.to_string().into()))?;
            roots.add(certificate).map_err(|error| unreadable(error.into()))?;
        }
        if roots.is_empty() {
            return Err(Error::config(format!("option `ca`: no PEM certificates in {path}")));
        }
        Ok(roots)
    }
}

#[cfg(not(feature = "tls"))]
mod disabled {
    use std::io;

    use tokio::net::TcpStream;

    use crate::{Error, Result};

    /// What cannot be made without the feature `tls`.
    #[derive(Clone)]
    pub(in crate::far::redis) struct Tls;

    impl Tls {
        pub(in crate::far::redis) fn new(_: Option<&str>) -> Result<Self> {
            Err(Error::config("TLS needs the Cargo feature `tls` of scrubjay"))
        }

        #[expect(clippy::unused_async, reason = "as its twin with the feature")]
        pub(in crate::far::redis) async fn connect(&self, _: &str, _: TcpStream) -> io::Result<TcpStream> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}
