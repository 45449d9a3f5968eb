//! What this program was built with: each fleet and each backend in the cloud is a feature.

/// Says that something is missing in this program, and how to get one that has it.
pub(crate) fn built_without(what: &str, feature: &str) -> String {
    format!("this program was built without {what}: build it with --features {feature}")
}

/// The same of a backend in the cloud.
pub(crate) fn built_without_cloud(what: &str, feature: &str) -> String {
    format!("{}, or with --features cloud for every cloud backend", built_without(what, feature))
}

/// Which backends in the cloud a program has.
#[derive(Clone, Copy)]
pub(crate) struct Clouds {
    pub(crate) aws: bool,
    pub(crate) mongo: bool,
}

impl Clouds {
    /// Those of this program.
    pub(crate) const HERE: Clouds = Clouds { aws: cfg!(feature = "aws"), mongo: cfg!(feature = "mongodb") };
}
