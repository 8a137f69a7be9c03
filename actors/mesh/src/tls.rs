//! TLS for links, from the PEM files of the `[mesh.tls]` table.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{StartError, Tls};

/// Both ends of a TLS link: the two sides check each other's certificate.
#[derive(Clone)]
pub(crate) struct Context {
    pub acceptor: TlsAcceptor,
    pub connector: TlsConnector,
    pub server_name: ServerName<'static>,
}

/// Reads the files.
pub(crate) fn load(tls: &Tls) -> Result<Context, StartError> {
    let chain = certificates(&tls.cert)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| bad(&tls.key, &error))?;
    let mut roots = RootCertStore::empty();
    for authority in certificates(&tls.ca)? {
        roots.add(authority).map_err(|error| bad(&tls.ca, &error))?;
    }
    let roots = Arc::new(roots);

    let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
        .build()
        .map_err(|error| bad(&tls.ca, &error))?;
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&tls.cert, &error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|error| bad(&tls.cert, &error))?;

    let servers = WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|error| bad(&tls.ca, &error))?;
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&tls.cert, &error))?
        .with_webpki_verifier(servers)
        .with_client_auth_cert(chain, key)
        .map_err(|error| bad(&tls.key, &error))?;

    let server_name = ServerName::try_from(tls.server_name.clone())
        .map_err(|_| StartError::Config(format!("`{}` is not a TLS server name", tls.server_name)))?;
    Ok(Context {
        acceptor: Arc::new(server).into(),
        connector: Arc::new(client).into(),
        server_name,
    })
}

/// Lets nobody in. `ractor_cluster` insists on a listener of its own, which knows neither our handshake nor its
/// deadline; behind this acceptor it is of no use to anybody.
pub(crate) fn closed_door() -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("invariant: the provider supports the default protocol versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(NoCertificate));
    Arc::new(config).into()
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

/// `ractor_cluster` builds rustls with aws-lc-rs anyway; a second provider would only add to the build.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(path, &error))?;
    if chain.is_empty() {
        Err(bad(path, &"it holds no certificate"))
    } else {
        Ok(chain)
    }
}

fn bad(path: &Path, reason: &dyn ToString) -> StartError {
    StartError::Tls {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
