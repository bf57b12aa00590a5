//! Certificates made on the spot, for one server and one run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// The files of a server that speaks TLS. Each server has its own authority, which vouches for no other.
#[derive(Clone, Debug)]
pub(super) struct Certificates {
    /// The authority's certificate, which clients are told to trust.
    pub(super) authority: PathBuf,
    /// The server's certificate, for `localhost` and `127.0.0.1`.
    pub(super) server: PathBuf,
    /// The server's private key.
    pub(super) key: PathBuf,
}

impl Certificates {
    /// Makes them in `folder`.
    pub(super) fn make(folder: &Path) -> Result<Self, String> {
        let (authority, server, key) = pem().map_err(|error| format!("cannot make certificates: {error}"))?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            Ok::<_, String>(path)
        };
        Ok(Self {
            authority: write("authority.pem", authority)?,
            server: write("server.pem", server)?,
            key: write("server-key.pem", key)?,
        })
    }
}

/// The texts of the authority, the server and its key.
fn pem() -> Result<(String, String, String), rcgen::Error> {
    let mut authority = CertificateParams::new([])?;
    authority.distinguished_name.push(DnType::CommonName, "scrubjay test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();

    let mut server = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    server.distinguished_name.push(DnType::CommonName, "scrubjay test server");
    let server_key = KeyPair::generate()?;
    let server_pem = server.signed_by(&server_key, &Issuer::new(authority, authority_key))?.pem();
    Ok((authority_pem, server_pem, server_key.serialize_pem()))
}
