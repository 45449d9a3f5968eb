//! The lag of the chain behind the river.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::{before, between};

use crate::model::{ChangeId, SHARDS};
use crate::store::Sample;

/// The river's own delay for all readers: the head is the current end of the river, and pages are shown five minutes
/// later.
pub const DELAY: Duration = Duration::from_secs(5 * 60);

/// Samples of the head are kept for this long: its speed is that of the last quarter of an hour.
const MEMORY: Duration = Duration::from_secs(15 * 60);

/// Two samples closer than this are too close to measure the speed.
const LEAST_SPAN: Duration = Duration::from_secs(5);

/// The lag of a position, beyond the river's own delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Lag {
    /// Seconds for each shard; `None` if its speed is unknown.
    pub shards: [Option<f64>; SHARDS],
    /// The largest lag of any shard.
    pub seconds: Option<f64>,
}

/// Adds a sample of the head, and removes the old ones.
pub fn remember(samples: &mut Vec<Sample>, sample: Sample) {
    let oldest = before(sample.at, MEMORY);
    samples.retain(|known| known.at >= oldest && known.at <= sample.at);
    samples.push(sample);
}

/// Returns the lag of `position` at `now`. The head is extrapolated with the speed of the samples.
pub fn measure(samples: &[Sample], position: ChangeId, now: Timestamp) -> Option<Lag> {
    let (first, last) = (samples.first()?, samples.last()?);
    let span = between(first.at, last.at);
    // A head that was not seen for too long does not tell where the river is either.
    if span < LEAST_SPAN || between(last.at, now) > MEMORY {
        return None;
    }
    let grown = first.id.behind(last.id).map(|changes| changes as f64 / span.as_secs_f64());
    let behind = position.behind(last.id).map(|changes| changes as f64);
    let since = between(last.at, now).as_secs_f64();
    let mut shards = [None; SHARDS];
    for (lag, (rate, behind)) in shards.iter_mut().zip(grown.into_iter().zip(behind)) {
        *lag = if rate > 0.0 {
            Some((behind / rate + since - DELAY.as_secs_f64()).max(0.0))
        } else {
            // The lag of a shard that does not grow is known only at its end, where it is zero.
            (behind == 0.0).then_some(0.0)
        };
    }
    let seconds = shards.into_iter().flatten().reduce(f64::max);
    Some(Lag { shards, seconds })
}

#[cfg(test)]
mod tests {
    use stint_core::clock::after;

    use super::*;

    fn sample(seconds: u64, shards: [u64; SHARDS]) -> Sample {
        Sample { at: after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds)), id: ChangeId::new(shards) }
    }

    fn at(seconds: u64) -> Timestamp {
        after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
    }

    #[test]
    fn lag_is_the_distance_over_the_pace_less_the_rivers_own_delay() {
        let samples = [sample(0, [0, 1000, 0, 0, 7]), sample(100, [1000, 2000, 500, 2000, 7])];
        // 10, 10, 5, 20 and 0 changes a second; the first is 600 s behind, the second 300.
        let position = ChangeId::new([0, 0, 500, 2000, 7]);
        let samples: Vec<Sample> = samples
            .into_iter()
            .map(|Sample { at, id }| {
                let mut shards = id.shards();
                shards[0] += 5000;
                shards[1] += 1000;
                Sample { at, id: ChangeId::new(shards) }
            })
            .collect();
        let lag = measure(&samples, position, at(100)).unwrap();
        assert_eq!(lag.shards, [Some(300.0), Some(0.0), Some(0.0), Some(0.0), Some(0.0)]);
        assert_eq!(lag.seconds, Some(300.0));
        let later = measure(&samples, position, at(160)).unwrap();
        assert_eq!(later.shards[0], Some(360.0), "the head has moved on since");
        assert_eq!(measure(&samples, position, at(100 + 15 * 60 + 1)), None, "the last sample is too old");
    }

    #[test]
    fn without_a_pace_the_lag_is_unknown() {
        let position = ChangeId::BEGINNING;
        assert_eq!(measure(&[], position, at(0)), None);
        assert_eq!(measure(&[sample(0, [1; 5])], position, at(60)), None);
        assert_eq!(measure(&[sample(0, [1; 5]), sample(4, [9; 5])], position, at(60)), None);
        let still = measure(&[sample(0, [9; 5]), sample(60, [9; 5])], position, at(60)).unwrap();
        assert_eq!((still.shards, still.seconds), ([None; 5], None));
    }

    #[test]
    fn old_samples_are_forgotten() {
        let mut samples = Vec::new();
        for minute in 0..60 {
            remember(&mut samples, sample(minute * 60, [minute; 5]));
        }
        assert_eq!((samples.len(), samples[0].id), (16, ChangeId::new([44; 5])));
    }
}
