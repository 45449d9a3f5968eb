//! A concurrency in the form of an event source mapping's setting.

use super::memory::DesiredState;

/// The lowest and the highest maximum concurrency of a mapping.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>
const MAXIMUM_CONCURRENCY: (u32, u32) = (2, 1_000);

/// The setting of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MappingSetting {
    /// Whether it polls.
    pub(super) enabled: bool,
    /// How many batches it passes on at once. `None` leaves the value as it is.
    pub(super) maximum_concurrency: Option<i32>,
}

impl From<DesiredState> for MappingSetting {
    /// At 0 the mapping stops polling, so that no message is received that cannot be processed. A concurrency of 1
    /// becomes 2, the lowest possible value: the ledger still grants no point twice.
    fn from(wanted: DesiredState) -> MappingSetting {
        if wanted.paused || wanted.concurrency == Some(0) {
            return MappingSetting { enabled: false, maximum_concurrency: None };
        }
        let (least, most) = MAXIMUM_CONCURRENCY;
        let maximum_concurrency = wanted.concurrency.map(|concurrency| concurrency.clamp(least, most) as i32);
        MappingSetting { enabled: true, maximum_concurrency }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_told_what_it_can_do() {
        let told = |concurrency, paused| {
            let setting = MappingSetting::from(DesiredState { concurrency, paused });
            (setting.enabled, setting.maximum_concurrency)
        };
        assert_eq!(told(None, false), (true, None), "as it was deployed");
        assert_eq!(told(Some(0), false), (false, None));
        assert_eq!(told(Some(1), false), (true, Some(2)));
        assert_eq!(told(Some(50), false), (true, Some(50)));
        assert_eq!(told(Some(5_000), false), (true, Some(1_000)));
        assert_eq!(told(Some(50), true), (false, None));
        assert_eq!(told(None, true), (false, None));
    }
}
