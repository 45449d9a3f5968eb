//! The cryptography behind TLS, for every client of this program.

use rustls::crypto::{CryptoProvider, ring};

/// Sees to it that TLS has its cryptography, which clients look for when they are built. It may be done again.
pub fn provide_tls() {
    if CryptoProvider::get_default().is_none() {
        // It fails where another thread was faster, and that one has installed the same.
        let _ = ring::default_provider().install_default();
    }
}
