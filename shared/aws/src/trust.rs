//! TLS roots: the certificate authorities that functions trust.
//!
//! Compiled in: loading the system's ~140 certificates from two places took longer than the rest of a cold start
//! (`docs/adr/0023-trusted-certificates.md` has the figures). [`CERTIFICATES_VARIABLE`] replaces them.

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use std::{env, ffi::OsStr};

/// Names a PEM file of certificates to trust instead of the compiled-in ones: behind a proxy that inspects TLS, or in a partition of AWS whose
/// certificates Amazon does not issue. The variable is the one that OpenSSL and rustls use.
pub const CERTIFICATES_VARIABLE: &str = "SSL_CERT_FILE";

/// The five that Amazon Trust Services asks of a trust store of one's own (<https://www.amazontrust.com/repository/>).
const AMAZON: &str = include_str!("../roots/amazon.pem");

/// Whether the environment names certificates to trust.
pub fn is_given() -> bool {
    names_a_file(env::var_os(CERTIFICATES_VARIABLE).as_deref())
}

/// A variable that is there and empty is a template's way to leave it out.
fn names_a_file(variable: Option<&OsStr>) -> bool {
    variable.is_some_and(|file| !file.is_empty())
}

/// The roots that AWS's endpoints are checked against.
pub(crate) fn in_aws() -> TlsContext {
    // The native roots are those of the file, where one is named.
    let trusted =
        if is_given() { TrustStore::default() } else { TrustStore::empty().with_pem_certificate(AMAZON.as_bytes()) };
    TlsContext::builder().with_trust_store(trusted).build().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{
        RootCertStore,
        pki_types::{CertificateDer, pem::PemObject},
    };

    /// A public key's SHA-256, as Amazon publishes it: of the whole structure, of which a trust anchor has the inside.
    fn fingerprint(inside: &[u8]) -> String {
        let length = inside.len();
        let header = match u8::try_from(length) {
            Ok(short @ ..0x80) => vec![0x30, short],
            Ok(byte) => vec![0x30, 0x81, byte],
            Err(_) => [&[0x30, 0x82][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, &[&header, inside].concat());
        digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    #[test]
    fn the_roots_are_those_that_amazon_publishes() {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(AMAZON.as_bytes()) {
            store.add(certificate.unwrap()).unwrap();
        }
        let keys: Vec<_> = store.roots.iter().map(|root| fingerprint(&root.subject_public_key_info)).collect();
        assert_eq!(
            keys,
            [
                "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
                "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
                "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
                "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
                "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92",
            ]
        );
    }

    #[test]
    fn an_empty_variable_names_no_certificates() {
        assert!(!names_a_file(None));
        assert!(!names_a_file(Some(OsStr::new(""))));
        assert!(names_a_file(Some(OsStr::new("/etc/pki/tls/certs/ca-bundle.crt"))));
    }
}
