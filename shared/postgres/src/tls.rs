//! TLS by the workspace's one library, with the authorities that its other clients trust.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::SslMode;

/// Returns the connector of this mode, or `None` without TLS. `ca_file` replaces the authorities of the operating
/// system.
pub(crate) fn connector(mode: SslMode, ca_file: Option<&Path>) -> Result<Option<MakeRustlsConnect>, String> {
    let provider = Arc::new(ring::default_provider());
    let leniency = match mode {
        SslMode::Disable => return Ok(None),
        SslMode::Require if ca_file.is_none() => Leniency::AnyCertificate,
        SslMode::Require | SslMode::VerifyCa => Leniency::AnyName(authorities(ca_file, &provider)?),
        SslMode::VerifyFull => return build(&provider, authorities(ca_file, &provider)?).map(Some),
    };
    build(&provider, Arc::new(Lenient { leniency, provider: provider.clone() })).map(Some)
}

fn build(provider: &Arc<CryptoProvider>, verifier: Arc<dyn ServerCertVerifier>) -> Result<MakeRustlsConnect, String> {
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot set up TLS: {error}"))?;
    Ok(MakeRustlsConnect::new(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// Returns the verifier that trusts the authorities of `ca_file`, or those of the operating system.
fn authorities(ca_file: Option<&Path>, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let Some(path) = ca_file else {
        let verifier = Verifier::new(provider.clone())
            .map_err(|error| format!("the operating system's certificates cannot be read: {error}"))?;
        return Ok(Arc::new(verifier));
    };
    let unusable = |why: String| format!("the CA file of PostgreSQL, {}: {why}", path.display());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in certificates {
        let added = certificate.map_err(|error| error.to_string()).map(|certificate| roots.add(certificate));
        added.and_then(|added| added.map_err(|error| error.to_string())).map_err(unusable)?;
    }
    if roots.is_empty() {
        return Err(unusable("it contains no certificate".to_owned()));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    verifier.map(|verifier| verifier as _).map_err(|error| unusable(error.to_string()))
}

/// What is not verified.
#[derive(Debug)]
enum Leniency {
    AnyName(Arc<dyn ServerCertVerifier>),
    AnyCertificate,
}

/// A verifier for the modes below `verify-full`. That the server has the certificate's key is always verified.
#[derive(Debug)]
struct Lenient {
    leniency: Leniency,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Leniency::AnyName(strict) = &self.leniency else { return Ok(ServerCertVerified::assertion()) };
        match strict.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
