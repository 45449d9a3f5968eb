//! The trace that Lambda has begun for an invocation, which our spans continue.

use std::future::Future;

use tokio::task::futures::TaskLocalFuture;

tokio::task_local! {
    static PARENT: TraceParent;
}

/// A trace that began outside this process, as X-Ray's header names it: `Root=1-…;Parent=…;Sampled=1`.
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub(super) trace: u128,
    /// The span above ours. Without it, ours is the first of the trace.
    pub(super) span: Option<u64>,
    /// Whether the trace is recorded, if that is decided.
    pub(super) sampled: Option<bool>,
}

impl TraceParent {
    /// Reads the header. Returns `None` if it names no trace, or a part that we use is malformed.
    pub(crate) fn parse(header: &str) -> Option<TraceParent> {
        let (mut trace, mut span, mut sampled) = (None, None, None);
        for part in header.split(';') {
            match part.trim().split_once('=') {
                Some(("Root", root)) => trace = Some(parse_root(root)?),
                Some(("Parent", parent)) => span = Some(u64::try_from(parse_hex(parent, 16)?).ok()?),
                // `?` asks this side to decide.
                Some(("Sampled", "?")) => sampled = None,
                Some(("Sampled", decision)) => sampled = Some(parse_decision(decision)?),
                // Such as Lineage and Self.
                _ => {}
            }
        }
        Some(TraceParent { trace: trace?, span, sampled })
    }

    /// Returns the trace's id as X-Ray writes it, for logs.
    pub(crate) fn root(&self) -> String {
        let digits = format!("{:032x}", self.trace);
        format!("1-{}-{}", &digits[..8], &digits[8..])
    }

    /// Makes this the parent of the spans that `work` begins without another parent.
    pub(crate) fn scope<F: Future>(self, work: F) -> TaskLocalFuture<TraceParent, F> {
        PARENT.scope(self, work)
    }

    /// Returns the parent of the current work, if it has one.
    pub(super) fn current() -> Option<TraceParent> {
        PARENT.try_with(|parent| *parent).ok()
    }
}

/// Reads `1-<8 digits: seconds since the epoch>-<24 digits>`: together the 128 bits of a trace's id.
fn parse_root(root: &str) -> Option<u128> {
    let (time, unique) = root.strip_prefix("1-")?.split_once('-')?;
    Some(parse_hex(time, 8)? << 96 | parse_hex(unique, 24)?).filter(|id| *id != 0)
}

/// Reads exactly this number of hexadecimal digits. All zeros mean "none", and are refused.
fn parse_hex(digits: &str, count: usize) -> Option<u128> {
    let is_hex = digits.len() == count && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(digits, 16).ok()).flatten().filter(|number| *number != 0)
}

fn parse_decision(decision: &str) -> Option<bool> {
    match decision {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";

    #[test]
    fn a_header_names_the_trace_the_span_above_and_the_decision() {
        let header = format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2");
        let parent = TraceParent::parse(&header).unwrap();
        assert_eq!(parent.trace, 0x5759_e988_bd86_2e3f_e1be_46a9_9427_2793);
        assert_eq!((parent.span, parent.sampled), (Some(0x5399_5c3f_42cd_8ad8), Some(true)));
        assert_eq!(format!("Root={}", parent.root()), ROOT);
        let parsed = |more: &str| TraceParent::parse(&format!("{ROOT}{more}")).unwrap();
        assert_eq!((parsed("").span, parsed("").sampled), (None, None));
        assert_eq!((parsed("; Sampled=0").sampled, parsed(";Sampled=?").sampled), (Some(false), None));
    }

    #[test]
    fn a_malformed_header_names_nothing() {
        let malformed = [
            "",
            "Root",
            "Parent=53995c3f42cd8ad8;Sampled=1",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988",
            "Root=1-5759e98-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a99427279g",
            "Root=1-+759e988-bd862e3fe1be46a994272793",
            "Root=1-00000000-000000000000000000000000",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=xyz",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0000000000000000",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=yes",
            "Root=1-5759é988-bd862e3fe1be46a994272793",
        ];
        for header in malformed {
            assert_eq!(TraceParent::parse(header), None, "{header}");
        }
    }
}
